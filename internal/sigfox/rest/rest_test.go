package rest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

func TestLogins(t *testing.T) {
	w := newWorld(t)
	w.must(200, "GET", "/v2/devices/", "")
	w.must(200, "GET", "/api/v2/devices", "")
	good := [2]string{w.login, w.password}
	for _, c := range [][2]string{{w.login, "x"}, {"AKIAAAAAAAAAAAAAAAAA", w.password}, {"", ""}, {w.login, ""}, {"x", "y"}} {
		w.login, w.password = c[0], c[1]
		a := w.do("GET", "/v2/devices/", "")
		if a.status != 401 || a.text != "" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: %d %s", c, a.status, a.text)
		}
	}
	w.login, w.password = good[0], good[1]
	if a := w.do("GET", "/v2/devices/", "", "Authorization: Bearer x"); a.status != 401 {
		t.Errorf("%d", a.status)
	}
	if a := w.do("GET", "/v2/devices/", "", "Origin: https://example.com"); a.status != 403 || !strings.Contains(a.text, "web pages") {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.login, w.password = w.user("reader", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sigfox:ListDevices","Resource":"*"}}`)
	w.must(200, "GET", "/v2/devices/", "")
	if a := w.do("GET", "/v2/device-types/", ""); a.status != 403 || !strings.Contains(a.text, "sigfox:ListDeviceTypes") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestPathsThatAreNone(t *testing.T) {
	w, typeID := world1(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v2/", 404},
		{"GET", "/v2/nothing", 404},
		{"GET", "/v2/devices//messages", 404},
		{"GET", "/v2/devices/%zz", 400},
		{"PATCH", "/v2/devices/4D3091", 405},
		{"POST", "/v2/devices/4D3091", 405},
		{"GET", "/v2/devices/4D3091/locations", 501},
		{"POST", "/v2/devices/bulk", 501},
		{"PUT", "/v2/device-types/" + typeID + "/disengage", 501},
		{"GET", "/v2/device-types/1/messages", 404},
		{"GET", "/v2/groups/1/callbacks-not-delivered", 404},
		{"GET", "/v2/devices/1", 404},
		{"GET", "/v2/devices/1/messages", 404},
		{"GET", "/v2/devices/1/callbacks-not-delivered", 404},
		{"DELETE", "/v2/devices/1", 404},
		{"GET", "/v2/device-types/1", 404},
		{"GET", "/v2/device-types/1/callbacks", 404},
		{"PUT", "/v2/device-types/" + typeID + "/callbacks/1/downlink", 404},
		{"GET", "/v2/device-types/" + typeID + "/callbacks/1/callbacks-not-delivered", 404},
	} {
		r := w.do(c.method, strings.ReplaceAll(c.path, "%zz", "%25zz"), "{}")
		if r.status != c.status || r.body["message"] == "" {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, r.status, r.text, c.status)
		}
	}
}

func TestDevice(t *testing.T) {
	w, typeID := world1(t)
	a := w.must(200, "GET", "/v2/devices/4d3091?fields=deviceType(name),group(name)", "")
	for name, want := range map[string]any{
		"id": "4D3091", "name": "room 12", "pac": "0123456789ABCDEF", "state": 0.0, "comState": 5.0, "lqi": 4.0, "messageModulo": 4096.0,
		"deviceType": map[string]any{"id": typeID, "name": "seed"}, "group": map[string]any{"id": group.ID, "name": "Thingwire"},
		"location": map[string]any{"lat": 1.5, "lng": 2.0}, "token": map[string]any{"state": 0.0}, "lastCom": nil, "sequenceNumber": nil,
	} {
		if fmt.Sprint(a.body[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, a.body[name], want)
		}
	}
	if ms, _ := a.body["creationTime"].(float64); time.Since(time.UnixMilli(int64(ms))) > time.Minute {
		t.Errorf("created at %v", a.body["creationTime"])
	}
	w.must(204, "PUT", "/v2/devices/4D3091", `{"name":"room 13"}`)
	a = w.must(200, "GET", "/v2/devices/4D3091", "")
	if a.body["name"] != "room 13" || a.body["location"] == nil || fmt.Sprint(a.body["deviceType"]) != "map[id:"+typeID+"]" {
		t.Errorf("%s", a.text)
	}
	w.must(204, "PUT", "/v2/devices/4D3091", `{"lat":null,"lng":null,"automaticRenewal":true}`)
	if a = w.must(200, "GET", "/v2/devices/4D3091", ""); strings.Contains(a.text, "location") || a.body["name"] != "room 13" {
		t.Errorf("%s", a.text)
	}
	if a := w.must(201, "POST", "/v2/devices/", `{"id":"00ab","name":"x","deviceTypeId":"`+typeID+`","pac":"0123456789ABCDEF"}`); a.id() != "AB" || a.header.Get("Location") != "https://api.example/v2/devices/AB" {
		t.Errorf("%s, %s", a.text, a.header.Get("Location"))
	}
	w.must(409, "POST", "/v2/devices/", `{"id":"AB","name":"x","deviceTypeId":"`+typeID+`","pac":"0123456789ABCDEF"}`)
	w.must(409, "DELETE", "/v2/device-types/"+typeID, "")
	w.must(204, "DELETE", "/v2/devices/AB", "")
	w.must(404, "GET", "/v2/devices/AB", "")
}

// What is wrong is named, all of it at once.
func TestBadRequests(t *testing.T) {
	w, typeID := world1(t)
	callbacks := "/v2/device-types/" + typeID + "/callbacks"
	for _, c := range []struct{ method, path, body, problems string }{
		{"POST", "/v2/devices/", `{}`, "body deviceTypeId, body id, body name, body pac"},
		{"POST", "/v2/devices/", ``, "body "},
		{"POST", "/v2/devices/", `[]`, "body "},
		{"POST", "/v2/devices/", `null`, "body "},
		{"POST", "/v2/devices/", `{"id":1,"name":true,"deviceTypeId":{},"pac":"x","colour":"red"}`, "body colour, body deviceTypeId, body id, body name"},
		{"POST", "/v2/devices/", `{"id":"xyz","name":"n","deviceTypeId":"` + typeID + `","pac":"0123456789ABCDEF"}`, "body id"},
		{"POST", "/v2/devices/", `{"id":"1","name":"n","deviceTypeId":"` + typeID + `","pac":"x"}`, "body pac"},
		{"PUT", "/v2/devices/4D3091", `{"lat":null}`, "body lat"},
		{"PUT", "/v2/devices/4D3091", `{"lat":91,"lng":0}`, "body lat"},
		{"PUT", "/v2/devices/4D3091", `{"name":null}`, "body name"},
		{"PUT", "/v2/devices/4D3091", `{"id":"1"}`, "body id"},
		{"POST", "/v2/device-types/", `{"name":"x"}`, "body contracts, body groupId"},
		{"PUT", "/v2/device-types/" + typeID, `{"payloadConfig":"temp"}`, "body payloadConfig"},
		{"PUT", "/v2/device-types/" + typeID, `{"payloadConfig":null}`, "body payloadConfig"},
		{"PUT", "/v2/device-types/" + typeID, `{"keepAlive":5}`, "body keepAlive"},
		{"PUT", "/v2/device-types/" + typeID, `{"downlinkMode":"x","keepAlive":"y"}`, "body downlinkMode, body keepAlive"},
		{"POST", callbacks, `{}`, "body callbackType, body channel, body enabled"},
		{"POST", callbacks, `{"channel":"URL","callbackType":0,"callbackSubtype":2,"enabled":true}`, "body httpMethod, body url"},
		{"POST", callbacks, `{"channel":"AWS_IOT","callbackType":0,"callbackSubtype":2,"enabled":true,"externalId":"mine"}`, "body externalId, body region, body roleArn, body topic"},
		{"POST", callbacks, `{"channel":"URL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"https://a.example/{nope}","httpMethod":"GET"}`, "body url"},
		{"POST", callbacks, `{"channel":"URL","callbackType":0,"callbackSubtype":9,"enabled":true,"url":"https://a.example/","httpMethod":"GET"}`, "body callbackSubtype"},
		{"POST", callbacks, `{"channel":"URL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"https://a.example/","httpMethod":"GET","downlinkHook":true,"headers":["x"]}`, "body downlinkHook, body headers"},
		{"GET", "/v2/devices/?limit=0", "", "query limit"},
		{"GET", "/v2/devices/?limit=101", "", "query limit"},
		{"GET", "/v2/devices/?limit=x", "", "query limit"},
		{"GET", "/v2/devices/?offset=-1", "", "query offset"},
		{"GET", "/v2/devices/?pageId=%00", "", "query pageId"},
		{"GET", "/v2/devices/?operatorId=1", "", "query operatorId"},
		{"GET", "/v2/devices/?limit=1&limit=2", "", "query limit"},
		{"GET", "/v2/devices/?%zz", "", "query "},
		{"GET", "/v2/devices/?sort=-name", "", "query sort"},
		{"GET", "/v2/devices/?fields=colour", "", "query fields"},
		{"GET", "/v2/devices/4D3091/messages?fields=rinfos(cbStatus", "", "query fields"},
		{"GET", "/v2/devices/4D3091/messages?since=yesterday", "", "query since"},
		{"GET", "/v2/devices/4D3091/callbacks-not-delivered?before=-1", "", "query before"},
	} {
		a := w.do(c.method, c.path, c.body)
		var problems []string
		list, _ := a.body["errors"].([]any)
		for _, one := range list {
			p, _ := one.(map[string]any)
			problems = append(problems, fmt.Sprint(p["type"], " ", p["field"]))
			if p["message"] == "" {
				t.Errorf("%s: %s", c.path, a.text)
			}
		}
		if a.status != 400 || strings.Join(problems, ", ") != c.problems || a.body["message"] != "Bad Request" {
			t.Errorf("%s %s %s: %d %s, want %s", c.method, c.path, c.body, a.status, a.text, c.problems)
		}
	}
	if a := w.do("POST", callbacks, `{"channel":"EMAIL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"","httpMethod":""}`); a.status != 501 {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.do("PUT", "/v2/devices/4D3091", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`); a.status != 400 || !strings.Contains(a.text, "1 MiB") {
		t.Errorf("%d %.100s", a.status, a.text)
	}
}

// next leads through all entries, each once, whatever the limit.
func TestPaging(t *testing.T) {
	w, typeID := world1(t)
	for i := range 249 {
		if _, err := w.CreateDevice(t.Context(), backend.Device{ID: fmt.Sprintf("%X", i+1), DeviceType: typeID}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/v2/devices/", "/api/v2/devices/?limit=100", "/v2/devices?limit=7&fields=deviceType(name)", "/v2/devices/?deviceTypeId=" + typeID, "/v2/devices/?limit=100&offset=50", "/v2/devices/?groupIds=a," + group.ID} {
		seen, pages := map[string]bool{}, 0
		for next := path; next != ""; pages++ {
			a := w.must(200, "GET", next, "")
			for _, d := range a.data() {
				seen[d["id"].(string)] = true
			}
			if strings.Contains(a.text, `\u0026`) {
				t.Errorf("%s: an address that nobody can read: %s", path, a.text[strings.Index(a.text, `"paging"`):])
			}
			next = a.next()
		}
		want := 250
		if strings.Contains(path, "offset=50") {
			want = 200
		}
		if len(seen) != want || pages != (want+99)/100 && !strings.Contains(path, "limit=7") {
			t.Errorf("%s: %d devices on %d pages", path, len(seen), pages)
		}
	}
	for path, want := range map[string]int{"/v2/devices/?groupIds=x": 0, "/v2/devices/?id=4d3091": 1, "/v2/devices/?id=FFFF": 0, "/v2/device-types/?name=ee": 1, "/v2/device-types/?name=xx": 0, "/v2/device-types/?payloadType=3": 1, "/v2/device-types/?payloadType=2": 0, "/v2/devices/?offset=250": 0, "/v2/devices/?offset=240": 10} {
		if a := w.must(200, "GET", path, ""); len(a.data()) != want || a.next() != "" || a.body["data"] == nil {
			t.Errorf("%s: %s", path, a.text)
		}
	}
}

func TestDeviceType(t *testing.T) {
	w, id := world1(t)
	a := w.must(200, "GET", "/v2/device-types/"+id+"/", "")
	if a.body["description"] != "d" || a.body["payloadType"] != 3.0 || a.body["downlinkMode"] != 2.0 || a.body["keepAlive"] != 0.0 {
		t.Errorf("%s", a.text)
	}
	w.must(204, "PUT", "/v2/device-types/"+id, `{"description":null,"keepAlive":1800,"alertEmail":"a@example.com"}`)
	a = w.must(200, "GET", "/v2/device-types/"+id, "")
	if _, there := a.body["description"]; there || a.body["keepAlive"] != 1800.0 || a.body["alertEmail"] != "a@example.com" || a.body["payloadConfig"] != "temp::float:32" {
		t.Errorf("%s", a.text)
	}
	w.must(204, "PUT", "/v2/device-types/"+id, `{"keepAlive":null,"downlinkMode":null,"payloadType":null,"payloadConfig":null}`)
	if a = w.must(200, "GET", "/v2/device-types/"+id, ""); a.body["keepAlive"] != 0.0 || a.body["downlinkMode"] != 2.0 || a.body["payloadType"] != 2.0 || a.body["name"] != "seed" {
		t.Errorf("%s", a.text)
	}
	w.must(409, "POST", "/v2/device-types/", `{"name":"seed","groupId":"x","contracts":[]}`)
	other := w.must(201, "POST", "/v2/device-types/", `{"name":"other","groupId":"x","contracts":["y"]}`).id()
	w.must(204, "DELETE", "/v2/device-types/"+other, "")
	w.must(404, "GET", "/v2/device-types/"+other, "")
}

func TestCallbacks(t *testing.T) {
	w, id := world1(t)
	path := "/v2/device-types/" + id + "/callbacks"
	create := func(body string) string { return w.must(201, "POST", path, body).id() }
	url := create(`{"channel":"URL","callbackType":0,"callbackSubtype":3,"enabled":true,"url":"https://a.example/?d={device}","httpMethod":"POST","headers":{"X-A":"1"},"bodyTemplate":"{}","contentType":"application/json","payloadConfig":"t::uint:8"}`)
	second := create(`{"channel":"URL","callbackType":0,"callbackSubtype":3,"enabled":false,"url":"https://b.example/","httpMethod":"GET","sendSni":false}`)
	batch := create(`{"channel":"BATCH_URL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"https://a.example/?b={batch}","httpMethod":"GET","linePattern":"{device};"}`)
	aws := w.must(201, "POST", path, `{"channel":"AWS_IOT","callbackType":0,"callbackSubtype":2,"enabled":true,"roleArn":"arn:aws:iam::123456789012:role/r","region":"eu-west-1","topic":"sigfox","bodyTemplate":"{}"}`)
	if aws.body["externalId"] == "" {
		t.Errorf("%s", aws.text)
	}
	all := w.must(200, "GET", path, "")
	if _, paged := all.body["paging"]; paged || len(all.data()) != 3 {
		t.Errorf("%s", all.text)
	}
	if a := w.must(200, "GET", path+"?channel=AWS_IOT", ""); len(a.data()) != 1 || a.data()[0]["topic"] != "sigfox" || a.data()[0]["externalId"] != aws.body["externalId"] {
		t.Errorf("%s", a.text)
	}
	find := func(id string) map[string]any {
		t.Helper()
		for _, c := range w.must(200, "GET", path, "").data() {
			if c["id"] == id {
				return c
			}
		}
		t.Fatalf("no callback %s", id)
		return nil
	}
	c := find(url)
	for name, want := range map[string]any{
		"channel": "URL", "callbackType": 0.0, "callbackSubtype": 3.0, "enabled": true, "dead": false, "httpMethod": "POST", "downlinkHook": false,
		"sendSni": true, "bodyTemplate": "{}", "contentType": "application/json", "payloadConfig": "t::uint:8", "headers": map[string]any{"X-A": "1"},
	} {
		if fmt.Sprint(c[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	w.must(204, "PUT", path+"/"+url+"/downlink", "")
	if find(url)["downlinkHook"] != true || find(second)["downlinkHook"] != false {
		t.Error("the first is not asked for downlinks")
	}
	w.must(204, "PUT", path+"/"+second+"/downlink", "")
	if find(url)["downlinkHook"] != false || find(second)["downlinkHook"] != true || find(second)["sendSni"] != false {
		t.Error("the second is not asked for downlinks")
	}
	w.must(400, "PUT", path+"/"+batch+"/downlink", "")
	w.must(204, "PUT", path+"/"+second+"/enable?enabled=true", "")
	w.must(400, "PUT", path+"/"+second+"/enable?enabled=perhaps", "")
	w.must(400, "PUT", path+"/"+second+"/enable", "")
	w.must(204, "PUT", path+"/"+url, `{"headers":null,"payloadConfig":null,"enabled":false,"channel":"URL"}`)
	if c := find(url); c["headers"] != nil || c["payloadConfig"] != nil || c["enabled"] != false || c["bodyTemplate"] != "{}" || find(second)["enabled"] != true {
		t.Errorf("%v", c)
	}
	w.must(400, "PUT", path+"/"+url, `{"channel":"BATCH_URL"}`)
	w.must(204, "DELETE", path+"/"+batch, "")
	w.must(404, "DELETE", path+"/"+batch, "")
}

func TestMessages(t *testing.T) {
	w, id := world1(t)
	path := "/v2/device-types/" + id + "/callbacks"
	callback := w.must(201, "POST", path, `{"channel":"URL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"https://u:p@a.example/{device}","httpMethod":"GET"}`).id()
	rssi, snr := -110.5, 12.25
	start := time.UnixMilli(1487065942000)
	w.uplink(backend.Frame{Data: []byte{0x41, 0xc8, 0xcc, 0xcd}, Time: start, Ack: false, Radio: backend.Radio{
		RSSI: &rssi, SNR: &snr, Station: "1E6A", Receptions: []backend.Reception{{Station: "1E6A", RSSI: -110.5, Repeats: 3, SNR: 12.25}},
		Location: &backend.Location{Lat: 43.45, Lng: 6.54, Radius: 400, Source: 2, Status: 1},
	}})
	w.sender.says(delivery.Outcome{Status: 404, Info: "Not Found", Remedy: "look"})
	w.uplink(backend.Frame{Data: nil, Time: start.Add(time.Minute)})

	a := w.must(200, "GET", "/v2/devices/4D3091/messages?fields=oob,ackRequired,device(name),rinfos(cbStatus,rep,baseStation(name))", "")
	if len(a.data()) != 2 || a.next() != "" {
		t.Fatalf("%s", a.text)
	}
	first := a.data()[1]
	for name, want := range map[string]any{
		"device": map[string]any{"id": "4D3091", "name": "room 12"}, "time": 1487065942000.0, "data": "41c8cccd", "seqNumber": 0.0, "lqi": 3.0, "nbFrames": 3.0,
		"ackRequired": false, "oob": false, "computedLocation": []any{map[string]any{"lat": 43.45, "lng": 6.54, "radius": 400.0, "source": 2.0}},
	} {
		if fmt.Sprint(first[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, first[name], want)
		}
	}
	if s := fmt.Sprint(first["rinfos"]); !strings.Contains(s, "info:success") || !strings.Contains(s, "status:200") || !strings.Contains(s, "cbDef:GET https://***@a.example/{device}") || !strings.Contains(s, "rep:3") || !strings.Contains(s, "rssi:-110.5") {
		t.Errorf("%s", s)
	}
	if s := fmt.Sprint(a.data()[0]["rinfos"]); strings.Count(s, "info:Not Found") != 2 { // the first attempt and the latest
		t.Errorf("%s", s)
	}
	plain := w.must(200, "GET", "/v2/devices/4d3091/messages", "")
	for _, absent := range []string{"cbStatus", "ackRequired", "room 12", "oob", `"rep"`} {
		if strings.Contains(plain.text, absent) {
			t.Errorf("%s was not asked for: %s", absent, plain.text)
		}
	}
	for query, want := range map[string]int{"since=1487065942000": 2, "since=1487065942001": 1, "before=1487065942000": 0, "before=1487065942001": 1, "limit=1": 1, "offset=1": 1, "offset=2": 0} {
		if a := w.must(200, "GET", "/v2/devices/4D3091/messages?"+query, ""); len(a.data()) != want || (a.next() != "") != (query == "limit=1") {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	if a := w.must(200, "GET", w.must(200, "GET", "/v2/devices/4D3091/messages?limit=1", "").next(), ""); a.data()[0]["seqNumber"] != 0.0 || a.next() != "" {
		t.Errorf("%s", a.text)
	}
	w.uplink(backend.Frame{Data: []byte{1}})
	if a := w.must(200, "GET", "/v2/devices/4D3091/messages/metric", ""); a.text != `{"lastDay":1,"lastWeek":1,"lastMonth":1}` {
		t.Errorf("%s", a.text)
	}

	for _, path := range []string{"/v2/devices/4D3091", "/v2/device-types/" + id, "/v2/device-types/" + id + "/callbacks/" + callback} {
		a := w.must(200, "GET", path+"/callbacks-not-delivered", "")
		if len(a.data()) != 2 {
			t.Fatalf("%s: %s", path, a.text)
		}
		u := a.data()[1]
		if u["deviceId"] != "4D3091" || u["deviceTypeId"] != id || u["status"] != "404" || u["message"] != "Not Found" || u["time"] != 1487066002000.0 || u["data"] != "" {
			t.Errorf("%v", u)
		}
		if s := fmt.Sprint(u["callback"]); !strings.Contains(s, "method:GET") || !strings.Contains(s, "error:look") {
			t.Errorf("%s", s)
		}
		if s := fmt.Sprint(u["parameters"]); !strings.Contains(s, "device:4D3091") {
			t.Errorf("%s", s)
		}
		if a := w.must(200, "GET", path+"/callbacks-not-delivered?limit=1", ""); len(a.data()) != 1 || a.next() == "" || len(w.must(200, "GET", a.next(), "").data()) != 1 {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	if d := w.must(200, "GET", "/v2/devices/4D3091", ""); d.body["sequenceNumber"] != 2.0 || d.body["lastCom"] == nil {
		t.Errorf("%s", d.text)
	}
	for _, c := range w.must(200, "GET", path, "").data() {
		if c["dead"] != true {
			t.Errorf("%v", c)
		}
	}
}

// Messages of many devices and what was not delivered of several types, the newest first, whoever they are of.
func TestMergedLists(t *testing.T) {
	w, id := world1(t)
	w.sender.says(delivery.Outcome{Status: 500, Info: "no"})
	other := w.must(201, "POST", "/v2/device-types/", `{"name":"other","groupId":"x","contracts":[]}`).id()
	for _, kind := range []string{id, other} {
		w.must(201, "POST", "/v2/device-types/"+kind+"/callbacks", `{"channel":"URL","callbackType":0,"callbackSubtype":2,"enabled":true,"url":"https://a.example/","httpMethod":"GET"}`)
	}
	for i, kind := range []string{id, id, other} {
		w.must(201, "POST", "/v2/devices/", fmt.Sprintf(`{"id":"A%d","name":"device %d","deviceTypeId":"%s","pac":"0123456789ABCDEF"}`, i, i, kind))
	}
	start := time.UnixMilli(1487065942000)
	for i := range 60 { // in turn, and what comes later is not always newer
		device := fmt.Sprintf("A%d", i%3)
		if _, err := w.Uplink(t.Context(), backend.Frame{Device: device, Time: start.Add(time.Duration(i) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	var times []float64
	pages := 0
	for next := "/v2/device-types/" + id + "/messages?limit=7&fields=device(name)"; next != ""; pages++ {
		a := w.must(200, "GET", next, "")
		for _, m := range a.data() {
			times = append(times, m["time"].(float64))
			if d, _ := m["device"].(map[string]any); d["name"] != "device "+strings.TrimPrefix(d["id"].(string), "A") || d["id"] == "A2" {
				t.Errorf("%v", d)
			}
		}
		next = a.next()
	}
	if len(times) != 40 || pages != 6 || !slices.IsSortedFunc(times, func(a, b float64) int { return cmp.Compare(b, a) }) {
		t.Errorf("%d messages on %d pages: %v", len(times), pages, times)
	}
	if a := w.must(200, "GET", "/v2/device-types/"+id+"/messages?since=1487065992000&before=1487065995000", ""); len(a.data()) != 2 {
		t.Errorf("%s", a.text)
	}
	w.must(400, "GET", "/v2/device-types/"+id+"/messages?pageId=1", "")
	path := "/v2/groups/" + group.ID + "/callbacks-not-delivered"
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C { // all retries are over
		if a := w.must(200, "GET", path, ""); len(a.data()) == 60 {
			break
		}
	}
	kinds := map[any]int{}
	for next := path + "?limit=25"; next != ""; {
		a := w.must(200, "GET", next, "")
		for _, u := range a.data() {
			kinds[u["deviceTypeId"]]++
		}
		next = a.next()
	}
	if kinds[id] != 40 || kinds[other] != 20 {
		t.Errorf("%v", kinds)
	}
}

func TestOwns(t *testing.T) {
	for path, want := range map[string]bool{"/v2/devices": true, "/api/v2/": true, "/v2": false, "/v2x/": false, "/things/v2/": false, "/": false} {
		if Owns(path) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}

func FuzzFields(f *testing.F) {
	for _, seed := range []string{"oob,ackRequired,device(name),rinfos(cbStatus,rep,repetitions,baseStation(name)),downlinkAnswerStatus(baseStation(name))", "", "(", ")", "device(", "device(name", "device(name))", ",", "device(name),device", "oob(oob)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFields(text, messageFields)
		if err != nil {
			return
		}
		var inside func(got, known fields)
		inside = func(got, known fields) {
			for name, inner := range got {
				if _, ok := known[name]; !ok {
					t.Errorf("%q asks for %q", text, name)
				}
				inside(inner, known[name])
			}
		}
		inside(got, messageFields)
	})
}

// No request brings the door down, and every answer is JSON or empty.
func FuzzRequest(f *testing.F) {
	w, _ := world1(f)
	f.Add("POST", "/v2/devices/", `{"id":"1","name":"n"}`)
	f.Add("PUT", "/v2/devices/4D3091", `{"name":null,"lat":1e999}`)
	f.Add("GET", "/v2/devices/4D3091/messages?fields=oob", "")
	f.Add("POST", "/api/v2/device-types", `{"name":"x","groupId":1,"contracts":{},"payloadConfig":"a::b"}`)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://api.example/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.SetBasicAuth(w.login, w.password)
		if status, text := w.raw(r); status >= 500 && status != 501 || text != "" && text[0] != '{' {
			t.Errorf("%s %s %s: %d %s", method, path, body, status, text)
		}
	})
}
