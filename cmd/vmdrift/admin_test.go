package main

import "testing"

func TestAPasswordStandsInNoArgument(t *testing.T) {
	for database, want := range map[string]string{
		"postgres://ann:s3cret@db:5432/vmdrift?sslmode=disable": "postgres://ann@db:5432/vmdrift?sslmode=disable",
		"postgres://db/vmdrift?password=s3cret&user=ann":        "postgres://db/vmdrift?user=ann",
		"postgres:///vmdrift?host=%2Ftmp%2Fs&user=vmdrift":      "postgres:///vmdrift?host=%2Ftmp%2Fs&user=vmdrift",
		"host=db user=ann password=s3cret dbname=vmdrift":       "host=db user=ann  dbname=vmdrift",
		`host=db Password = 's3 \'cret' dbname=vmdrift`:         "host=db  dbname=vmdrift",
	} {
		if got := withoutPassword(database); got != want {
			t.Errorf("%s: %s, want %s", database, got, want)
		}
	}
}
