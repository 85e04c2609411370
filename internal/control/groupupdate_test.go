package control

import (
	"strings"
	"testing"
)

func TestUpdateThingGroupsForThingOperation(t *testing.T) {
	w := newWorld(t)
	const update = "/thing-groups/updateThingGroupsForThing"
	w.ok("POST", "/things/lamp", "")
	for _, g := range []string{"a", "b", "c"} {
		w.ok("POST", "/thing-groups/"+g, "")
	}
	in := func() string {
		var names []string
		for _, g := range w.ok("GET", "/things/lamp/thing-groups", "").body["thingGroups"].([]any) {
			names = append(names, g.(map[string]any)["groupName"].(string))
		}
		return strings.Join(names, " ")
	}
	if a := w.ok("PUT", update, `{"thingName":"lamp","thingGroupsToAdd":["a","b"],"overrideDynamicGroups":true}`); a.text != "{}" || in() != "a b" {
		t.Errorf("added: %s, in %s", a.text, in())
	}
	w.ok("PUT", update, `{"thingName":"lamp","thingGroupsToAdd":["c"],"thingGroupsToRemove":["a"]}`)
	w.ok("PUT", update, `{"thingName":"lamp"}`)
	w.ok("PUT", update, `{"thingName":"lamp","thingGroupsToAdd":null,"thingGroupsToRemove":[]}`)
	for _, c := range []struct {
		status          int
		exception, body string
	}{
		{400, "InvalidRequestException", ""},
		{400, "InvalidRequestException", `{"thingGroupsToAdd":["a"]}`},
		{400, "InvalidRequestException", `{"thingName":7}`},
		{400, "InvalidRequestException", `{"thingName":"lamp","thingGroupsToAdd":"a"}`},
		{400, "InvalidRequestException", `{"thingName":"lamp","thingGroupsToAdd":[null]}`},
		{400, "InvalidRequestException", `{"thingName":"lamp","thingGroupsToAdd":["a"],"thingGroupsToRemove":["a"]}`},
		{404, "ResourceNotFoundException", `{"thingName":"door","thingGroupsToAdd":["a"]}`},
		{404, "ResourceNotFoundException", `{"thingName":"lamp","thingGroupsToAdd":["a","none"],"thingGroupsToRemove":["b"]}`},
	} {
		w.refused(c.status, c.exception, "PUT", update, c.body)
	}
	if in() != "b c" {
		t.Errorf("in %s", in())
	}
	w.refused(400, "InvalidRequestException", "GET", "/thing-groups?namePrefixFilter=a%20b", "")
	w.refused(404, "ResourceNotFoundException", "GET", "/thing-groups?parentGroup=none&recursive=true", "")
	w.refused(400, "InvalidRequestException", "GET", "/thing-groups/a/things?recursive=1", "")
}

func TestListOutgoingCertificates(t *testing.T) {
	w := newWorld(t)
	w.register("ACTIVE")
	if a := w.ok("GET", "/certificates-out-going?isAscendingOrder=true&pageSize=250", ""); a.text != `{"outgoingCertificates":[]}` {
		t.Errorf("outgoing: %s", a.text)
	}
	for _, bad := range []string{"isAscendingOrder=x", "pageSize=251", "marker=hello"} {
		w.refused(400, "InvalidRequestException", "GET", "/certificates-out-going?"+bad, "")
	}
}
