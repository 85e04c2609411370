package control

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/registry"
)

func TestEventConfigurationOperations(t *testing.T) {
	w := newWorld(t)
	fresh := w.ok("GET", "/event-configurations", "")
	if members(fresh) != "eventConfigurations" {
		t.Errorf("before the first update: %s", fresh.text)
	}
	switches := func(a *answer) (all, on []string) {
		for _, name := range registry.EventTypes() {
			one, ok := a.body["eventConfigurations"].(map[string]any)[string(name)].(map[string]any)
			if !ok || len(one) != 1 {
				t.Fatalf("%s in %s", name, a.text)
			}
			all = append(all, string(name))
			if one["Enabled"] == true {
				on = append(on, string(name))
			}
		}
		return all, on
	}
	if all, on := switches(fresh); len(all) != 11 || len(fresh.body["eventConfigurations"].(map[string]any)) != 11 || len(on) != 0 {
		t.Errorf("before the first update: %s", fresh.text)
	}
	if a := w.ok("PATCH", "/event-configurations", `{"eventConfigurations":{"THING":{"Enabled":true},"JOB":{"Enabled":true}}}`); a.text != "{}" {
		t.Errorf("updated: %s", a.text)
	}
	w.ok("PATCH", "/event-configurations", `{"eventConfigurations":{"THING_GROUP":{"Enabled":true},"JOB":{}}}`)
	a := w.ok("GET", "/event-configurations", "")
	if _, on := switches(a); strings.Join(on, " ") != "THING THING_GROUP" || members(a) != "creationDate eventConfigurations lastModifiedDate" {
		t.Errorf("described %s", a.text)
	}
	created, modified := a.body["creationDate"].(float64), a.body["lastModifiedDate"].(float64)
	if created < 1.7e9 || modified <= created {
		t.Errorf("dates %f and %f", created, modified)
	}
	w.ok("PATCH", "/event-configurations", `{}`)
	if again := w.ok("GET", "/event-configurations", ""); again.text != a.text {
		t.Errorf("an empty update changed %s to %s", a.text, again.text)
	}
	for _, body := range []string{
		`{"eventConfigurations":{"LAMP":{"Enabled":true}}}`,
		`{"eventConfigurations":{"thing":{"Enabled":true}}}`,
		`{"eventConfigurations":{"THING":{"Enabled":"yes"}}}`,
		`{"eventConfigurations":["THING"]}`,
	} {
		w.refused(400, "InvalidRequestException", "PATCH", "/event-configurations", body)
	}
}
