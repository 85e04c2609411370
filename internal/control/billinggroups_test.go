package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBillingGroupOperations(t *testing.T) {
	w := newWorld(t)
	const group = "/billing-groups/north"
	const create = `{"billingGroupProperties":{"billingGroupDescription":"up there"},"tags":[{"Key":"a","Value":"b"}]}`
	a := w.ok("POST", group, create)
	if members(a) != "billingGroupArn billingGroupId billingGroupName" || a.body["billingGroupArn"] != resources+"billinggroup/north" {
		t.Errorf("created %s", a.text)
	}
	if again := w.ok("POST", group, create); again.text != a.text {
		t.Errorf("created again %s", again.text)
	}
	if e := w.refused(409, "ResourceAlreadyExistsException", "POST", group, "{}"); e.body["resourceArn"] != a.body["billingGroupArn"] {
		t.Errorf("exists: %s", e.text)
	}
	d := w.ok("GET", group, "")
	if date, _ := d.body["billingGroupMetadata"].(map[string]any)["creationDate"].(float64); date < 1.7e9 {
		t.Errorf("created at %v", date)
	}
	delete(d.body, "billingGroupMetadata")
	want := map[string]any{
		"billingGroupName": "north", "billingGroupId": a.body["billingGroupId"], "billingGroupArn": a.body["billingGroupArn"],
		"version": 1.0, "billingGroupProperties": map[string]any{"billingGroupDescription": "up there"},
	}
	if diff := cmp.Diff(want, d.body); diff != "" {
		t.Error(diff)
	}
	if u := w.ok("PATCH", group, `{"billingGroupProperties":{"billingGroupDescription":""},"expectedVersion":1}`); u.text != `{"version":2}` {
		t.Errorf("updated: %s", u.text)
	}
	if d := w.ok("GET", group, ""); quoted(t, d.body["billingGroupProperties"]) != "{}" {
		t.Errorf("emptied: %s", d.text)
	}

	w.ok("POST", "/things/lamp", `{"billingGroupName":"north"}`)
	w.ok("POST", "/things/door", "")
	w.ok("PUT", "/billing-groups/addThingToBillingGroup", `{"billingGroupName":"north","thingName":"door"}`)
	if got := w.ok("GET", "/things/door", "").body["billingGroupName"]; got != "north" {
		t.Errorf("billed to %v", got)
	}
	if l := w.ok("GET", group+"/things", ""); l.text != `{"things":["door","lamp"]}` {
		t.Errorf("members %s", l.text)
	}
	byARN := fmt.Sprintf(`{"billingGroupArn":"%sbillinggroup/north","thingArn":"%sthing/door"}`, resources, resources)
	w.ok("PUT", "/billing-groups/removeThingFromBillingGroup", byARN)
	if d := w.ok("GET", "/things/door", ""); strings.Contains(d.text, "billingGroupName") {
		t.Errorf("billed: %s", d.text)
	}
	w.ok("POST", "/billing-groups/south", "")
	if l := w.ok("GET", "/billing-groups?namePrefixFilter=n", ""); l.text !=
		fmt.Sprintf(`{"billingGroups":[{"groupName":"north","groupArn":"%sbillinggroup/north"}]}`, resources) {
		t.Errorf("listed %s", l.text)
	}
	for _, n := range []int{1, 2, 250} {
		if all := w.pages("GET", "/billing-groups", "maxResults", "nextToken", "nextToken", "billingGroups", n); len(all) != 2 {
			t.Errorf("by %d: %v", n, all)
		}
	}
	w.ok("DELETE", group+"?expectedVersion=2", "")
	w.ok("DELETE", group, "")
	w.refused(404, "ResourceNotFoundException", "GET", tagsQuery("billinggroup/north"), "")
}

func TestBillingGroupsRefused(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/billing-groups/g", "")
	w.ok("POST", "/billing-groups/other", "")
	w.ok("POST", "/things/lamp", `{"billingGroupName":"g"}`)
	const add, remove = "/billing-groups/addThingToBillingGroup", "/billing-groups/removeThingFromBillingGroup"
	for _, c := range []struct {
		status                        int
		exception, method, path, body string
	}{
		{400, "InvalidRequestException", "POST", "/billing-groups/a%20b", ""},
		{400, "InvalidRequestException", "POST", "/billing-groups/" + strings.Repeat("g", 129), ""},
		{400, "InvalidRequestException", "POST", "/billing-groups/x", `{"billingGroupProperties":{"billingGroupDescription":1}}`},
		{400, "InvalidRequestException", "POST", "/billing-groups/x", `{"billingGroupProperties":{"billingGroupDescription":"a\nb"}}`},
		{400, "InvalidRequestException", "POST", "/billing-groups/x", `{"tags":{}}`},
		{404, "ResourceNotFoundException", "GET", "/billing-groups/none", ""},
		{400, "InvalidRequestException", "GET", "/billing-groups/", ""},
		{400, "InvalidRequestException", "PATCH", "/billing-groups/g", ""},
		{400, "InvalidRequestException", "PATCH", "/billing-groups/g", `{"billingGroupProperties":null}`},
		{404, "ResourceNotFoundException", "PATCH", "/billing-groups/none", `{"billingGroupProperties":{}}`},
		{409, "VersionConflictException", "PATCH", "/billing-groups/g", `{"billingGroupProperties":{},"expectedVersion":7}`},
		{400, "InvalidRequestException", "PATCH", "/billing-groups/g", `{"billingGroupProperties":{},"expectedVersion":"7"}`},
		{409, "VersionConflictException", "DELETE", "/billing-groups/g?expectedVersion=7", ""},
		{400, "InvalidRequestException", "DELETE", "/billing-groups/g?expectedVersion=x", ""},
		{400, "InvalidRequestException", "GET", "/billing-groups?namePrefixFilter=a%20b", ""},
		{400, "InvalidRequestException", "GET", "/billing-groups?maxResults=251", ""},
		{400, "InvalidRequestException", "GET", "/billing-groups?nextToken=x", ""},
		{404, "ResourceNotFoundException", "GET", "/billing-groups/none/things", ""},
		{400, "InvalidRequestException", "GET", "/billing-groups/g/things?maxResults=0", ""},
		{400, "InvalidRequestException", "PUT", add, ""},
		{400, "InvalidRequestException", "PUT", add, `{"billingGroupName":"other","thingName":"lamp"}`},
		{400, "InvalidRequestException", "PUT", add, `{"billingGroupName":"g","billingGroupArn":"` + resources + `billinggroup/h","thingName":"lamp"}`},
		{400, "InvalidRequestException", "PUT", add, `{"billingGroupArn":"` + resources + `thinggroup/g","thingName":"lamp"}`},
		{404, "ResourceNotFoundException", "PUT", add, `{"billingGroupName":"none","thingName":"lamp"}`},
		{404, "ResourceNotFoundException", "PUT", add, `{"billingGroupName":"g","thingName":"none"}`},
		{400, "InvalidRequestException", "PUT", remove, `{"billingGroupName":"g"}`},
		{404, "ResourceNotFoundException", "PUT", remove, `{"billingGroupName":"none","thingName":"lamp"}`},
		{404, "ResourceNotFoundException", "PUT", remove, `{"billingGroupName":"g","thingName":"none"}`},
		{400, "InvalidRequestException", "POST", "/things/x", `{"billingGroupName":"a b"}`},
		{409, "ResourceAlreadyExistsException", "POST", "/things/lamp", `{"billingGroupName":"other"}`},
	} {
		w.refused(c.status, c.exception, c.method, c.path, c.body)
	}
}
