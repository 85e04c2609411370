package receive

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
)

const seed = `{"device":"4D3091","time":"1491234567","data":"41c8cccd","seqNumber":"7"}`

func TestTheSeedsMessage(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{
		Name: "room", Topic: "sigfox/{device}", QoS: 1, PayloadConfig: "temp::float:32",
		Body: "{\n\"device\" : \"{device}\",  \n\"time\" : \"{time}\",  \n\"temperature\" : \"{customData#temp}\"\n}",
	})
	if rec := w.sendJSON("room", seed); rec.Code != http.StatusNoContent || rec.Body.Len() != 0 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	m := w.next()
	if want := "{\n\"device\" : \"4D3091\",  \n\"time\" : \"1491234567\",  \n\"temperature\" : \"25.1\"\n}"; m.Topic != "sigfox/4D3091" || string(m.Payload) != want || m.QoS != 1 {
		t.Errorf("%s: %q, want %q", m.Topic, m.Payload, want)
	}
}

// JSON, a form, a query: the same message.
func TestWaysToSend(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "e", Topic: "sigfox", PayloadConfig: "temp::float:32 ok:0:bool:6"})
	path := Prefix + "e/" + testSecret
	const form = "device=4D3091&time=1491234567&data=41c8cccd&seqNumber=7&snr=null"
	want := `{"device":"4D3091","time":1491234567,"data":"41c8cccd","seqNumber":7,"temp":25.1,"ok":true}`
	for _, c := range []struct{ method, uri, body, kind string }{
		{"POST", path, seed, asJSON},
		{"PUT", path, seed, asJSON},
		{"POST", path, strings.ReplaceAll(seed, `"1491234567"`, "1491234567"), "Content-Type: application/json; charset=utf-8"},
		{"POST", path, strings.ReplaceAll(seed, "4D3091", "004d3091"), asJSON},
		{"POST", path, `{"snr":null,"unknown":{"a":[1]},` + seed[1:], asJSON},
		{"POST", path, form, asForm},
		{"POST", path, form, "Content-Type: application/x-www-form-urlencoded;charset=UTF-8"},
		{"GET", path + "?" + form, "", ""},
		{"POST", path + "?device=4D3091&time=1491234567", "data=41c8cccd&seqNumber=7", asForm},
	} {
		var headers []string
		if c.kind != "" {
			headers = []string{c.kind}
		}
		if rec := w.send(c.method, c.uri, c.body, headers...); rec.Code != http.StatusNoContent {
			t.Errorf("%s %s: %d %s", c.method, c.body, rec.Code, rec.Body)
			continue
		}
		if m := w.next(); string(m.Payload) != want || m.Topic != "sigfox" {
			t.Errorf("%s %s: %s", c.method, c.body, m.Payload)
		}
	}
}

// Without a body of its own an endpoint's message has what was sent, as JSON would write it, and all fields.
func TestMessageWithoutABody(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "e", Topic: "sigfox", PayloadConfig: "s::char:2 n::uint:16"})
	w.make(Endpoint{Name: "all", Topic: "sigfox", Callback: "DATA_ADVANCED"})
	for _, c := range []struct{ name, sent, want string }{
		{"e", `{"device":"1"}`, `{"device":"1","s":null,"n":null}`},
		{"e", `{"device":"1","data":"225c00","station":"a\"b","lat":1.5}`, `{"device":"1","data":"225c00","station":"a\"b","lat":1.5,"s":"\"\\","n":null}`},
		{"e", `{"device":"1","data":"41420102","snr":"null","duplicate":false}`, `{"device":"1","data":"41420102","duplicate":false,"s":"AB","n":258}`},
		{"all", `{"device":"1","duplicates":[{"bsId":"A"}],"lqi":"GOOD"}`, `{"device":"1","lqi":"GOOD","duplicates":[{"bsId":"A"}]}`},
	} {
		if rec := w.sendJSON(c.name, c.sent); rec.Code != http.StatusNoContent {
			t.Errorf("%s: %d %s", c.sent, rec.Code, rec.Body)
		} else if m := w.next(); string(m.Payload) != c.want {
			t.Errorf("%s: %s, want %s", c.sent, m.Payload, c.want)
		}
	}
	for _, injected := range []string{`soon`, `1,\"admin\":true`} {
		if rec := w.sendJSON("e", `{"device":"1","time":"`+injected+`"}`); rec.Code != 400 || !strings.Contains(rec.Body.String(), "the value of time is") {
			t.Errorf("%s: %d %s", injected, rec.Code, rec.Body)
		}
	}
}

func TestNamesOfTheSender(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{
		Name: "e", Topic: "t/{device}/{seqNumber}", Variables: map[string]string{"device": "id", "seqNumber": "n", "data": "payload"},
	})
	if rec := w.sendJSON("e", `{"id":"1","n":4095,"payload":""}`); rec.Code != 204 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if m := w.next(); m.Topic != "t/1/4095" || string(m.Payload) != `{"device":"1","data":"","seqNumber":4095}` {
		t.Errorf("%s: %s", m.Topic, m.Payload)
	}
	rec := w.sendJSON("e", `{"id":"1","n":4095}`)
	if rec.Code != 400 || !strings.Contains(rec.Body.String(), `left out \"payload\", which is the variable data; put {data}`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestSecrets(t *testing.T) {
	w := newWorld(t)
	basic := func(login, password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+password))
	}
	w.make(Endpoint{Name: "path", Topic: "t"})
	w.make(Endpoint{Name: "header", Topic: "t", Auth: AuthHeader})
	w.make(Endpoint{Name: "bearer", Topic: "t", Auth: AuthHeader, Header: "authorization"})
	w.make(Endpoint{Name: "basic", Topic: "t", Auth: AuthBasic, Login: "us"})
	w.make(Endpoint{Name: "off", Topic: "t", Disabled: true})
	for _, c := range []struct {
		path, header string
		status       int
	}{
		{"path/" + testSecret, "", 204},
		{"path/" + testSecret + "/", "", 401},
		{"path/" + testSecret[1:], "", 401},
		{"path/", "", 401},
		{"path", "", 401},
		{"path", "X-Sigfox-Secret: " + testSecret, 401},
		{"header", "X-Sigfox-Secret: " + testSecret, 204},
		{"header", "X-Sigfox-Secret: " + testSecret + "x", 401},
		{"header/" + testSecret, "", 401},
		{"header/x", "X-Sigfox-Secret: " + testSecret, 401},
		{"header", "", 401},
		{"bearer", "Authorization: " + testSecret, 204},
		{"basic", basic("us", testSecret), 204},
		{"basic", basic("them", testSecret), 401},
		{"basic", basic("us", "x"), 401},
		{"basic", basic("us", ""), 401},
		{"basic", "", 401},
		{"nobody/" + testSecret, "", 401},
		{"", "", 401},
		{"nobody", basic("us", testSecret), 401},
		{"off/" + testSecret, "", 403},
	} {
		headers := []string{asJSON}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		rec := w.send("POST", Prefix+c.path, seed, headers...)
		if rec.Code != c.status || rec.Code == 401 && (rec.Body.Len() != 0 || rec.Header().Get("WWW-Authenticate") == "") {
			t.Errorf("%s, %s: %d %s, want %d", c.path, c.header, rec.Code, rec.Body, c.status)
		}
	}
}

// A secret is in nothing that is kept or shown.
func TestSecretIsShownOnce(t *testing.T) {
	w := newWorld(t)
	e, secret, err := w.Create(t.Context(), Endpoint{Name: "e", Topic: "t"}, "")
	if err != nil || len(secret.Reveal()) < minSecret {
		t.Fatal(err)
	}
	if rec := w.send("POST", Prefix+"e/"+secret.Reveal(), seed, asJSON); rec.Code != 204 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.send("POST", Prefix+"e/"+secret.Reveal(), "{", asJSON)
	w.send("POST", Prefix+"nobody/"+secret.Reveal(), "{", asJSON)
	text := fmt.Sprintf("%v %+v %#v %v", secret, secret, secret, e)
	for d, err := range w.store.List(t.Context(), endpointsBucket, "", "", 0) {
		text += string(d.Value) + fmt.Sprint(err)
	}
	for _, entry := range entries(w) {
		text += fmt.Sprintf("%+v", entry)
	}
	if strings.Contains(text, secret.Reveal()) {
		t.Error(text)
	}
}

func entries(w *world) []journal.Entry {
	w.t.Helper()
	return w.journal.Query(journal.Query{})
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "e", Topic: "sigfox/{device}/{deviceTypeId}", PayloadConfig: "temp::float:32"})
	path := Prefix + "e/" + testSecret
	ok := `{"device":"1","deviceTypeId":"x"`
	for _, c := range []struct {
		name, method, body, header string
		status                     int
		message                    string
	}{
		{"method", "DELETE", "", asJSON, 405, "method"},
		{"type", "POST", ok + "}", "Content-Type: text/plain", 415, "application/json"},
		{"no type", "POST", ok + "}", "X-A: b", 415, "application/json"},
		{"strange type", "POST", ok + "}", "Content-Type: a/b; =", 415, "application/json"},
		{"no JSON", "POST", "{", asJSON, 400, "no JSON object"},
		{"a list", "POST", "[1]", asJSON, 400, "no JSON object"},
		{"two objects", "POST", "{}{}", asJSON, 400, "no JSON object"},
		{"empty", "POST", "", asJSON, 400, "no JSON object"},
		{"deep", "POST", strings.Repeat("[", 100_000), asJSON, 400, "no JSON object"},
		{"a form that is none", "POST", "device=%zz", asForm, 400, "percent-encode"},
		{"twice", "POST", ok + `,"device":"2"}`, asJSON, 400, "sent twice"},
		{"twice in a form", "POST", "device=1&device=2", asForm, 400, "sent twice"},
		{"NUL", "POST", ok + `,"data":"\u0000"}`, asJSON, 400, "cannot be used"},
		{"no device", "POST", "{}", asJSON, 400, "no device id"},
		{"long device", "POST", `{"device":"123456789"}`, asJSON, 400, "no device id"},
		{"device is none", "POST", `{"device":"a/b"}`, asJSON, 400, "no device id"},
		{"odd payload", "POST", ok + `,"data":"41c"}`, asJSON, 400, "no payload"},
		{"13 bytes", "POST", ok + `,"data":"00112233445566778899aabbcc"}`, asJSON, 400, "0 to 12 bytes"},
		{"no topic", "POST", `{"device":"1"}`, asJSON, 400, "needs the variable deviceTypeId"},
		{"another topic", "POST", `{"device":"1","deviceTypeId":"x/y"}`, asJSON, 400, "cannot be part of a topic"},
		{"a wildcard", "POST", `{"device":"1","deviceTypeId":"#"}`, asJSON, 400, "cannot be part of a topic"},
		{"a line", "POST", `{"device":"1","deviceTypeId":"a\nb"}`, asJSON, 400, "cannot be part of a topic"},
		{"a text for a number", "POST", ok + `,"time":"soon"}`, asJSON, 400, "the value of time is"},
		{"10 MB", "POST", ok + `,"data":"` + strings.Repeat("0", 10<<20) + `"}`, asJSON, 413, "131072"},
		{"a web page", "POST", ok + "}", "Origin: https://example.com", 403, "web page"},
		{"ourselves", "POST", ok + "}", "X-Thingwire-Via: server-1", 508, "its own receiving endpoint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := w.send(c.method, path, c.body, c.header)
			var answer struct{ Message string }
			if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || rec.Code != c.status || !strings.Contains(answer.Message, c.message) {
				t.Errorf("%d %q, want %d %q", rec.Code, rec.Body, c.status, c.message)
			}
			id := rec.Header().Get("X-Request-Id")
			if !slices.ContainsFunc(entries(w), func(e journal.Entry) bool { return e.TraceID == id && e.Cause != "" && e.PrincipalID == "sigfox/e" }) {
				t.Errorf("the journal does not have request %s", id)
			}
		})
	}
	w.nothing()
	if rec := w.send("POST", path, ok+"}", asJSON, "X-Thingwire-Via: server-2"); rec.Code != 204 {
		t.Errorf("another server: %d %s", rec.Code, rec.Body)
	}
}

// An endpoint may publish on its own topics: the broker is asked, and knows who.
func TestBrokerAuthorises(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "e", Topic: "$aws/things/x/shadow/update"})
	rec := w.sendJSON("e", seed)
	if rec.Code == 204 {
		t.Error("published on a reserved topic")
	}
	w.make(Endpoint{Name: "mine", Topic: "mine/{device}"})
	c := (*w.endpoints.Load())["mine"]
	for topic, want := range map[string]bool{"mine/x": true, "theirs": false} {
		if err := publishAs(w, c, topic); (err == nil) != want || !want && !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func TestDownlinks(t *testing.T) {
	w := newWorld(t)
	for _, from := range []string{DownlinkNone, DownlinkQueue, DownlinkTopic, DownlinkTemplate} {
		e := Endpoint{Name: from, Callback: "BIDIR", Topic: "up", Downlink: from}
		if from == DownlinkTemplate {
			e.DownlinkTemplate = "00112233{data}"
		}
		w.make(e)
	}
	ask := func(endpoint, ack, data string) string {
		t.Helper()
		rec := w.sendJSON(endpoint, `{"device":"4d3091","ack":`+ack+`,"data":"`+data+`"}`)
		if m := w.next(); m.Topic != "up" {
			t.Errorf("published on %s", m.Topic)
		}
		return fmt.Sprint(rec.Code, " ", rec.Body)
	}
	answer := func(data string) string { return `200 {"4D3091":{"downlinkData":"` + data + `"}}` }
	expect := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("answered %s, want %s", got, want)
		}
	}
	expect(ask("none", "true", ""), "204 ")
	expect(ask("queue", "true", ""), "204 ")
	queue := func(data string, expires time.Time) {
		t.Helper()
		if _, err := w.QueueDownlink(t.Context(), "queue", "04D3091", data, expires); err != nil {
			t.Fatal(err)
		}
	}
	queue("0011223344556677", time.Time{})
	queue("DEADBEEFCAFEBABE", time.Time{})
	w.reopen() // a new start
	expect(ask("queue", "false", ""), "204 ")
	expect(ask("queue", `"true"`, ""), answer("deadbeefcafebabe"))
	expect(ask("queue", "true", ""), "204 ")
	queue("0011223344556677", time.Now().Add(-time.Second))
	expect(ask("queue", "true", ""), "204 ")

	expect(ask("topic", "true", ""), "204 ")
	const topic = "sigfox/downlink/4D3091"
	w.publish(topic, `{"downlinkData":"0011223344556677"}`, true)
	w.next()
	expect(ask("topic", "false", ""), "204 ")
	expect(ask("topic", "true", ""), answer("0011223344556677"))
	w.reopen()
	expect(ask("topic", "true", ""), "204 ")
	for _, useless := range []string{"00", `{"downlinkData":"00"}`, "", "x"} {
		w.publish(topic, useless+" ", true)
		w.next()
		expect(ask("topic", "true", ""), "204 ")
	}
	w.publish(topic, "8899aabbccddeeff", true)
	w.next()
	expect(ask("topic", "true", ""), answer("8899aabbccddeeff"))

	expect(ask("template", "true", "44556677"), answer("0011223344556677"))
	expect(ask("template", "true", "4455"), "204 ") // not 8 bytes
	if !slices.ContainsFunc(entries(w), func(e journal.Entry) bool {
		return strings.Contains(e.Cause, "is not 8 bytes") && e.PrincipalID == "sigfox/template"
	}) {
		t.Error("the journal does not have the downlink that is none")
	}
}

// A downlink goes out once, whoever asks at once.
func TestDownlinkIsTakenOnce(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "queue", Callback: "BIDIR", Topic: "up", Downlink: DownlinkQueue})
	w.make(Endpoint{Name: "topic", Callback: "BIDIR", Topic: "up", Downlink: DownlinkTopic})
	if _, err := w.QueueDownlink(t.Context(), "queue", "1", "0011223344556677", time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.publish("sigfox/downlink/1", "0011223344556677", true)
	for _, name := range []string{"queue", "topic"} {
		var mu sync.Mutex
		var all sync.WaitGroup
		codes := map[int]int{}
		for range 20 {
			all.Go(func() {
				rec := w.sendJSON(name, `{"device":"1","ack":true}`)
				mu.Lock()
				defer mu.Unlock()
				codes[rec.Code]++
			})
		}
		all.Wait()
		if codes[200] != 1 || codes[204] != 19 {
			t.Errorf("%s: %v", name, codes)
		}
	}
}

func TestTopicsThatAnEndpointAnswersFrom(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "usual", Callback: "BIDIR", Topic: "up", Downlink: DownlinkTopic})
	w.make(Endpoint{Name: "own", Callback: "BIDIR", Topic: "up", PayloadConfig: "a#b::uint:8", Downlink: DownlinkTopic, DownlinkTopic: "valves/{device}/{customData#a#b}"})
	w.make(Endpoint{Name: "queue", Callback: "BIDIR", Topic: "queued/{device}", Downlink: DownlinkQueue})
	answers := func(want map[string]bool) {
		t.Helper()
		for topic, want := range want {
			if got := w.Answers(topic); got != want {
				t.Errorf("%s: %t", topic, got)
			}
		}
	}
	answers(map[string]bool{"sigfox/downlink/ABC": true, "valves/ABC/7": true, "queued/ABC": false, "sigfox/downlin": false, "up": false})
	if _, err := w.Edit(t.Context(), "usual", func(e *Endpoint) error { e.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	answers(map[string]bool{"sigfox/downlink/ABC": false, "valves/ABC/7": true})
}

func TestQueueDownlinkRefuses(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "queue", Callback: "BIDIR", Topic: "up", Downlink: DownlinkQueue})
	w.make(Endpoint{Name: "none", Callback: "BIDIR", Topic: "up"})
	for _, c := range []struct {
		name, device, data string
		kind               fault.Kind
	}{
		{"else", "1", "0011223344556677", fault.NotFound},
		{"none", "1", "0011223344556677", fault.Invalid},
		{"queue", "x", "0011223344556677", fault.Invalid},
		{"queue", "1", "00112233445566", fault.Invalid},
		{"queue", "1", "001122334455667788", fault.Invalid},
		{"queue", "1", "zz11223344556677", fault.Invalid},
	} {
		if _, err := w.QueueDownlink(t.Context(), c.name, c.device, c.data, time.Time{}); !fault.Is(err, c.kind) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestEndpointsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		change func(*Endpoint)
		words  string
	}{
		{"no name", func(e *Endpoint) { e.Name = "" }, "not a name"},
		{"a path", func(e *Endpoint) { e.Name = "a/b" }, "not a name"},
		{"kind", func(e *Endpoint) { e.Callback = "GEOLOC" }, "cannot be received"},
		{"QoS", func(e *Endpoint) { e.QoS = 2 }, "QoS 2"},
		{"auth", func(e *Endpoint) { e.Auth = "none" }, "no way to show a secret"},
		{"header", func(e *Endpoint) { e.Auth, e.Header = AuthHeader, "Host" }, "no name of a header"},
		{"login", func(e *Endpoint) { e.Auth, e.Login = AuthBasic, "a:b" }, "colon"},
		{"downlink of an uplink", func(e *Endpoint) { e.Downlink = DownlinkQueue }, "not answered with a downlink"},
		{"downlink's source", func(e *Endpoint) { e.Callback, e.Downlink = "BIDIR", "sky" }, "no source of downlinks"},
		{"downlink's template", func(e *Endpoint) { e.Callback, e.Downlink = "BIDIR", DownlinkTemplate }, "template is missing"},
		{"a field like a variable", func(e *Endpoint) { e.PayloadConfig = "time::uint:8" }, "called like a variable"},
		{"payload config", func(e *Endpoint) { e.PayloadConfig = "temp" }, "payload config"},
		{"no topic", func(e *Endpoint) { e.Topic = "" }, "topic is missing"},
		{"a filter", func(e *Endpoint) { e.Topic = "a/#" }, "wildcard"},
		{"a filter with +", func(e *Endpoint) { e.Topic = "a/+/{device}" }, "wildcard"},
		{"variable in a topic", func(e *Endpoint) { e.Topic = "a/{nope}" }, "nope"},
		{"variable in a body", func(e *Endpoint) { e.Body = `{"a":"{customData#x}"}` }, "customData#x"},
		{"body that is no JSON", func(e *Endpoint) { e.Body = "a" }, "JSON"},
		{"variable that is none", func(e *Endpoint) { e.Variables = map[string]string{"device": "d", "colour": "c"} }, `no variable "colour"`},
		{"variable without a name", func(e *Endpoint) { e.Variables = map[string]string{"device": ""} }, "no name in the request"},
		{"no device", func(e *Endpoint) { e.Variables = map[string]string{"data": "d"} }, "does not send the variable device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Endpoint{Name: "e", Topic: "t"}
			c.change(&e)
			if _, _, err := w.Create(t.Context(), e, testSecret); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.words) {
				t.Error(err)
			}
		})
	}
	for _, secret := range []Secret{"short", Secret(strings.Repeat("x", 257)), "0123456789abcde/", "0123456789abcde "} {
		if _, _, err := w.Create(t.Context(), Endpoint{Name: "e", Topic: "t"}, secret); !fault.Is(err, fault.Invalid) {
			t.Errorf("a secret of %d characters: %v", len(secret), err)
		}
	}
	if len(w.Endpoints()) != 0 {
		t.Error(w.Endpoints())
	}
}

// The life of an endpoint, through new starts.
func TestLife(t *testing.T) {
	w := newWorld(t)
	made := w.make(Endpoint{Name: "e", Topic: "one", Callback: "BIDIR", Downlink: DownlinkQueue})
	if made.Auth != AuthPath || made.Created.IsZero() {
		t.Errorf("%+v", made)
	}
	if _, _, err := w.Create(t.Context(), Endpoint{Name: "e", Topic: "t"}, ""); !fault.Is(err, fault.Exists) {
		t.Error(err)
	}
	w.reopen()
	if _, err := w.Edit(t.Context(), "e", func(e *Endpoint) error { e.Topic, e.Name = "two", "else"; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Edit(t.Context(), "e", func(e *Endpoint) error { e.Topic = ""; return nil }); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	w.reopen()
	if all := w.Endpoints(); len(all) != 1 || all[0].Name != "e" || all[0].Topic != "two" {
		t.Errorf("%+v", all)
	}
	w.sendJSON("e", seed)
	if m := w.next(); m.Topic != "two" {
		t.Errorf("published on %s", m.Topic)
	}
	if _, err := w.QueueDownlink(t.Context(), "e", "1", "0011223344556677", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if problems, err := Check(t.Context(), w.store); err != nil || len(problems) != 0 {
		t.Error(problems, err)
	}
	if err := w.Delete(t.Context(), "e"); err != nil {
		t.Fatal(err)
	}
	if rec := w.sendJSON("e", seed); rec.Code != 401 {
		t.Errorf("%d", rec.Code)
	}
	w.make(Endpoint{Name: "e", Topic: "one", Callback: "BIDIR", Downlink: DownlinkQueue})
	if _, err := w.Queued(t.Context(), "e", "1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a downlink outlived its endpoint: %v", err)
	}
	for _, err := range []error{w.Delete(t.Context(), "x"), func() error { _, err := w.Endpoint("x"); return err }()} {
		if !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	w := newWorld(t)
	w.make(Endpoint{Name: "e", Topic: "t"})
	put := func(bucket, key, value string) {
		t.Helper()
		if err := w.store.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: bucket, Key: key, Value: []byte(value)}}}).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	put(endpointsBucket, "broken", "{")
	put(endpointsBucket, "else", `{"name":"other","topic":"t"}`)
	put(downlinksBucket, "e/1", `{"data":"00"}`)
	put(downlinksBucket, "gone/1", `{"data":"0011223344556677"}`)
	put(takenBucket, "e/x", `{}`)
	problems, err := Check(t.Context(), w.store)
	if err != nil || len(problems) != 5 {
		t.Errorf("%q, %v", problems, err)
	}
	w.reopen() // what is damaged does not keep the others from working
	if rec := w.sendJSON("e", seed); rec.Code != 204 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	put(metaBucket, formatKey, "2")
	if _, err := Open(t.Context(), Config{Store: w.store, Broker: w.broker}); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}

// What a sender sends never publishes elsewhere than the endpoint says, and never anything but JSON.
func FuzzCallback(f *testing.F) {
	for _, seed := range []struct{ kind, query, body string }{
		{"application/json", "", seed},
		{"application/x-www-form-urlencoded", "a=b", "device=1&data=00"},
		{"application/json", "device=2", `{"time":1e5,"customData#temp":"x"}`},
		{"", "", ""},
		{"application/json", "", `{"device":"1","data":"41c8cccd","seqNumber":{"a":1}}`},
	} {
		f.Add(seed.kind, seed.query, seed.body)
	}
	w := newWorld(f)
	w.make(Endpoint{Name: "e", Topic: "in/{device}/{seqNumber}/x", PayloadConfig: "temp::float:32 c:0:char:2"})
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		r := w.newRequest(t, kind, query, body)
		rec := w.serve(r)
		if rec.Code != 204 {
			if rec.Code < 400 || rec.Code >= 500 && rec.Code != 508 {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			return
		}
		m := <-w.got
		levels := strings.Split(m.Topic, "/")
		if len(levels) != 4 || levels[0] != "in" || levels[3] != "x" || strings.ContainsAny(m.Topic, "#+") || !json.Valid(m.Payload) {
			t.Errorf("published on %q: %q", m.Topic, m.Payload)
		}
	})
}
