package main

import (
	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/internal/config"
	"github.com/vmdrift/vmdrift/internal/notify"
)

// channelOf makes a channel of an entry of the configuration.
func channelOf(f config.File, c config.Channel) (notify.Channel, error) {
	out := notify.Channel{
		Name: c.Name, Type: c.Type, When: c.When, Schedules: c.Schedules, CAFile: f.Resolve(c.CAFile), Link: c.BaseURL,
		Server: c.Server, TLS: c.TLS, User: c.User, From: c.From, To: c.To,
	}
	if c.MinSeverity != "" {
		if err := out.MinSeverity.UnmarshalText([]byte(c.MinSeverity)); err != nil {
			return out, err
		}
	} else {
		out.MinSeverity = baseline.Info
	}
	secret := func(ref string) func() (string, error) {
		if ref == "" {
			return nil
		}
		return func() (string, error) { return f.Secret(ref) }
	}
	out.URL, out.Secret, out.Token, out.Password = secret(c.URL), secret(c.Secret), secret(c.Token), secret(c.Password)
	return out, nil
}
