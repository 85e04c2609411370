package server

import (
	"bufio"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Events that were turned on by the API come to a subscriber, in the order of the changes, and survive a restart.
func TestRegistryEventsReachSubscribers(t *testing.T) {
	cfg := quiet(t)
	s, admin := begin(t, cfg)
	call := func(method, path string, body any) {
		t.Helper()
		if err := admin.Do(t.Context(), Call{Method: method, Path: path, In: body}); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(on bool, kinds ...string) {
		t.Helper()
		switches := map[string]any{}
		for _, k := range kinds {
			switches[k] = map[string]bool{"Enabled": on}
		}
		call("PATCH", "/event-configurations", map[string]any{"eventConfigurations": switches})
	}
	call("POST", "/things/early", nil) // nothing is on
	turn(true, "THING", "THING_GROUP_MEMBERSHIP")
	call("POST", "/things/unheard", nil) // nobody listens
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	_, admin = begin(t, cfg)
	stream, err := admin.Stream(t.Context(), "/_thingwire/v1/subscribe?filter=%24aws%2Fevents%2F%23")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	call("POST", "/things/lamp", map[string]any{"attributePayload": map[string]any{"attributes": map[string]string{"floor": "2"}}})
	call("POST", "/thing-groups/house", nil) // its events are off
	membership := map[string]string{"thingGroupName": "house", "thingName": "lamp"}
	call("PUT", "/thing-groups/addThingToThingGroup", membership)
	turn(false, "THING_GROUP_MEMBERSHIP")
	call("PUT", "/thing-groups/removeThingFromThingGroup", membership)
	call("DELETE", "/things/lamp", nil)

	in := bufio.NewReader(stream)
	var topics []string
	for range 3 {
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var m LiveMessage
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		topics = append(topics, m.Topic)
		var event struct{ AccountID string }
		if err := json.Unmarshal([]byte(m.Payload), &event); err != nil || event.AccountID != DefaultAccount || m.QoS != 0 || m.Retain {
			t.Errorf("%s: %+v", m.Topic, m)
		}
	}
	want := []string{
		"$aws/events/thing/lamp/created",
		"$aws/events/thingGroupMembership/thingGroup/house/thing/lamp/added",
		"$aws/events/thing/lamp/deleted",
	}
	if diff := cmp.Diff(want, topics); diff != "" {
		t.Error(diff)
	}
}
