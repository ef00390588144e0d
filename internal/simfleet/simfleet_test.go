package simfleet

import "testing"

func TestAFleetIsAsItSays(t *testing.T) {
	f, g := New(1, 1000), New(1, 1000)
	items := 0
	for _, s := range f.Machines()[0].States {
		items += s.Len()
	}
	if items < 935 || items > 955 {
		t.Errorf("a machine has %d items", items)
	}
	for night := range 16 {
		changed, same := f.Night(), g.Night()
		if len(changed) != len(same) {
			t.Fatalf("night %d: the same seed made another fleet", night)
		}
		if night == 14 {
			if len(changed) < 1000/Images {
				t.Errorf("on the patch night %d machines changed", len(changed))
			}
		} else if len(changed) < 15 || len(changed) > 20 {
			t.Errorf("night %d: %d of 1000 machines changed", night, len(changed))
		}
	}
	for i, m := range f.Machines() {
		for j, s := range m.States {
			if s.Digest() != g.Machines()[i].States[j].Digest() {
				t.Fatal("the same seed made another fleet")
			}
		}
	}
}
