package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestNilAndEverything(t *testing.T) {
	r := &Request{Action: "iot:Publish", Resource: dialogueARN + "topic/a"}
	var none *Set
	if d := none.Decide(r); d != (Decision{Statement: -1}) {
		t.Errorf("nil set: %+v", d)
	}
	if got, want := none.Explain(r), "no policy is attached to this caller, so nothing is allowed"; got != want {
		t.Errorf("nil set: %q", got)
	}
	if got := Compile(Source{Name: "no document"}).Explain(r); !strings.HasPrefix(got, "no policy is attached") {
		t.Errorf("empty set: %q", got)
	}
	if d := AllowAll().Decide(r); d != (Decision{Allowed: true, Statement: -1}) {
		t.Errorf("everything: %+v", d)
	}
	if got := AllowAll().Explain(r); got != "this caller may do everything" {
		t.Errorf("everything: %q", got)
	}
	var nobody *Connection
	r.Vars = nobody
	s := setOf(t, ThingScoped("123456789012", "us-east-1"))
	if s.Decide(r).Allowed {
		t.Error("a nil connection has a thing")
	}
}

func TestExplainQuotesWhatClientsSay(t *testing.T) {
	s := setOf(t, AllowEverything("123456789012", "us-east-1"))
	got := s.Explain(&Request{Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:1:topic/a\nb\x1b[2J"})
	if strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("control characters of a topic come through: %q", got)
	}
}

func TestBuiltin(t *testing.T) {
	const arn = "arn:aws:iot:eu-west-1:000000000000:"
	thing := &Connection{ClientID: "t1", HasClientID: true, ThingName: "t1", ThingAttached: true}
	stranger := &Connection{ClientID: "t1", HasClientID: true}
	for _, c := range []struct {
		action, resource                string
		everything, ofThing, ofStranger bool
	}{
		{"iot:Connect", "client/t1", true, true, false},
		{"iot:Connect", "client/t2", true, false, false},
		{"iot:Publish", "topic/t1/temperature", true, true, false},
		{"iot:Publish", "topic/t1", true, false, false},
		{"iot:Publish", "topic/t2/temperature", true, false, false},
		{"iot:RetainPublish", "topic/t1/state", true, true, false},
		{"iot:RetainPublish", "topic/$aws/things/t1/shadow/update", true, false, false},
		{"iot:GetRetainedMessage", "topic/t1/state", true, true, false},
		{"iot:Receive", "topic/t1/command", true, true, false},
		{"iot:Subscribe", "topicfilter/t1/#", true, true, false},
		{"iot:Subscribe", "topicfilter/#", true, false, false},
		{"iot:Publish", "topic/$aws/things/t1/shadow/name/x/get", true, true, false},
		{"iot:Publish", "topic/$aws/things/t2/shadow/get", true, false, false},
		{"iot:Subscribe", "topicfilter/$aws/things/t1/jobs/notify", true, true, false},
		{"iot:Receive", "topic/$aws/things/t1/jobs/$next/get/accepted", true, true, false},
		{"iotjobsdata:DescribeJobExecution", "thing/t1", true, false, false},
		{"iot:GetThingShadow", "thing/t1", true, false, false},
		{"iot:ListRetainedMessages", "*", true, false, false},
		{"s3:GetObject", "*", false, false, false},
	} {
		all, scoped := setOf(t, AllowEverything("000000000000", "eu-west-1")), setOf(t, ThingScoped("000000000000", "eu-west-1"))
		r := &Request{Action: c.action, Resource: c.resource, Vars: thing}
		if c.resource != "*" {
			r.Resource = arn + c.resource
		}
		if got := all.Decide(r).Allowed; got != c.everything {
			t.Errorf("AllowEverything: %s %s: %v", c.action, c.resource, got)
		}
		if got := scoped.Decide(r).Allowed; got != c.ofThing {
			t.Errorf("ThingScoped: %s %s: %v", c.action, c.resource, got)
		}
		r.Vars = stranger
		if got := scoped.Decide(r).Allowed; got != c.ofStranger {
			t.Errorf("ThingScoped, no thing: %s %s: %v", c.action, c.resource, got)
		}
	}
}

// TestPolicyDocumentSize: 2048 characters, white space not counted (AWS IoT Core quotas).
func TestPolicyDocumentSize(t *testing.T) {
	document := func(size int) []byte {
		text := `{"Version":"2012-10-17","Statement":[],"Id":"é"}`
		fill := size - len([]rune(text))
		return []byte(strings.Replace(text, "é", "é   "+strings.Repeat("x", fill), 1) + " \t\r\n")
	}
	for _, c := range []struct {
		kind Kind
		size int
		want fault.Kind
	}{
		{IoT, 2048, fault.Internal},
		{IoT, 2049, fault.TooLarge},
		{IAM, 2049, fault.Internal},
		{IAM, 10240, fault.Internal},
		{IAM, 10241, fault.TooLarge},
	} {
		_, err := Parse(document(c.size), c.kind)
		if got := fault.KindOf(err); got != c.want || err == nil != (c.want == fault.Internal) {
			t.Errorf("kind %d, %d characters: %v", c.kind, c.size, err)
		}
	}
	if _, err := Parse([]byte(strings.Repeat(" ", rawLimit+1)), IoT); !fault.Is(err, fault.TooLarge) {
		t.Errorf("white space without end: %v", err)
	}
	if _, err := Parse([]byte("{\"Id\":\"\xff\"}"), IoT); !fault.Is(err, fault.Invalid) {
		t.Errorf("not UTF-8: %v", err)
	}
}

func TestEvaluate(t *testing.T) {
	s := setOf(t,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*"},
			{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/secret"},
			{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/${iot:DomainName, 'x'}",
			 "Condition":{"StringLike":{"aws:UserAgent":["${aws:username}*","${iot:ClientId}"]}}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`)
	names := func(sources []Source) []string {
		var list []string
		for _, src := range sources {
			list = append(list, src.Name)
		}
		return list
	}
	r := &Request{
		Action: "iot:Publish", Resource: dialogueARN + "topic/secret",
		Vars: &Connection{ClientID: "c", HasClientID: true},
	}
	e := s.Evaluate(r)
	if e.Decision.Allowed || !e.Decision.Explicit || e.Decision.Policy != "b" {
		t.Errorf("decision %+v", e.Decision)
	}
	if diff := cmp.Diff([]string{"a"}, names(e.Allowing)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b"}, names(e.Denying)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"iot:DomainName", "aws:UserAgent", "aws:username"}, e.Missing); diff != "" {
		t.Error(diff)
	}
	if e := (*Set)(nil).Evaluate(r); e.Decision.Allowed {
		t.Errorf("nil set: %+v", e)
	}
}

// someStatement draws a statement about few actions and resources, so that they often meet.
func someStatement(effect string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		not := rapid.SampledFrom([]string{"", "", "Not"})
		action := rapid.SampledFrom([]string{"iot:Publish", "iot:*", "*", "iot:Connect", "iot:?ublish", "iot:Receive"}).Draw(t, "action")
		resource := rapid.SampledFrom([]string{
			"*", dialogueARN + "topic/a", dialogueARN + "topic/*", dialogueARN + "topic/${iot:ClientId}",
			dialogueARN + "topic/${iot:DomainName}", "arn:aws:iot:*:*:topic/?",
		}).Draw(t, "resource")
		condition := rapid.SampledFrom([]string{
			``, ``, `,"Condition":{"StringEquals":{"iot:ClientId":"a"}}`,
			`,"Condition":{"StringNotEquals":{"iot:ClientId":"${iot:DomainName}"}}`,
			`,"Condition":{"Null":{"iot:DomainName":"true"}}`,
			`,"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-01"}}`,
		}).Draw(t, "condition")
		return fmt.Sprintf(`{"Effect":%q,"%sAction":%q,"%sResource":%q%s}`,
			effect, not.Draw(t, "notAction"), action, not.Draw(t, "notResource"), resource, condition)
	})
}

func someRequest(t *rapid.T) *Request {
	c := &Connection{ClientID: rapid.SampledFrom([]string{"a", "b", "*"}).Draw(t, "client"), HasClientID: true}
	c.DomainName = rapid.SampledFrom([]string{"", "a"}).Draw(t, "domain")
	r := &Request{
		Action:   rapid.SampledFrom([]string{"iot:Publish", "iot:Connect", "iot:CreateThing"}).Draw(t, "asked action"),
		Resource: dialogueARN + rapid.SampledFrom([]string{"topic/a", "topic/b", "client/a"}).Draw(t, "asked resource"),
		Vars:     c,
	}
	if rapid.Bool().Draw(t, "has time") {
		r.Now = time.Date(rapid.IntRange(2025, 2026).Draw(t, "year"), 6, 1, 0, 0, 0, 0, time.UTC)
	}
	return r
}

func document(t *rapid.T, statements ...string) Source {
	text := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	doc, err := Parse([]byte(text), IAM)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return Source{Name: "p", Document: doc}
}

// TestDenyAlwaysWins: whatever else there is, and wherever it stands.
func TestDenyAlwaysWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := someRequest(t)
		deny := document(t, someStatement("Deny").Draw(t, "deny"))
		allows := document(t, rapid.SliceOfN(someStatement("Allow"), 0, 4).Draw(t, "allows")...)
		alone := Compile(deny).Decide(r)
		for _, s := range []*Set{Compile(deny, allows), Compile(allows, deny)} {
			d := s.Decide(r)
			if alone.Explicit && (d.Allowed || !d.Explicit) {
				t.Fatalf("denied alone, but not with others: %+v", d)
			}
			if explained := s.Explain(r); explained == "" {
				t.Fatal("no words")
			}
		}
	})
}

// TestMoreAllowsNeverTakeAway: adding an Allow never turns allowed into denied, adding a Deny never the other way.
func TestMoreAllowsNeverTakeAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := someRequest(t)
		r.Now = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
		either := rapid.OneOf(someStatement("Allow"), someStatement("Deny"))
		base := document(t, rapid.SliceOfN(either, 0, 4).Draw(t, "base")...)
		before := Compile(base).Decide(r)
		if before.Allowed && !Compile(base, document(t, someStatement("Allow").Draw(t, "allow"))).Decide(r).Allowed {
			t.Fatal("an Allow took something away")
		}
		if !before.Allowed && Compile(base, document(t, someStatement("Deny").Draw(t, "deny"))).Decide(r).Allowed {
			t.Fatal("a Deny gave something")
		}
	})
}

// TestTimeDependentIsTold: when the answer changes with the time, both answers said that they might.
func TestTimeDependentIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := someRequest(t)
		either := rapid.OneOf(someStatement("Allow"), someStatement("Deny"))
		s := Compile(document(t, rapid.SliceOfN(either, 0, 4).Draw(t, "statements")...))
		r.Now = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
		early := s.Decide(r)
		r.Now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		late := s.Decide(r)
		if early.Allowed != late.Allowed && (!early.TimeDependent || !late.TimeDependent) {
			t.Fatalf("%+v became %+v", early, late)
		}
		r.Now = time.Time{}
		if s.Decide(r).Allowed && (!early.Allowed || !late.Allowed) {
			t.Fatal("allowed without a time what some time denies")
		}
	})
}

// FuzzParse: a document that is accepted can be asked about anything, and its refusals have words and a kind.
func FuzzParse(f *testing.F) {
	f.Add([]byte(AllowEverything("1", "r")), "topic/a", "c")
	f.Add([]byte(ThingScoped("1", "r")), "topic/c/x", "c")
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Action":"sts:*","Principal":{"AWS":["*","111111111111"],"Service":"x.y"},"Condition":{"StringEquals":{"sts:ExternalId":"a"}}}}`), "role/a", "c")
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotAction":"*","NotResource":"*:${a, 'b'}*?","Condition":{
		"ForAnyValue:StringLikeIfExists":{"A:b":["${*}${iot:ClientId}*",1,true]},"Null":{"c":true}}}}`), "topic/a", "c")
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:P*","Resource":"arn:aws:iot:*:?:topic/${iot:ClientId,'x'}/#",
		"Condition":{"ArnLike":{"k":"arn:aws:iot:*:1:topic/${iot:ClientId}"},"DateLessThan":{"aws:CurrentTime":"2030"},
		"NumericEquals":{"aws:EpochTime":"1.5"},"IpAddress":{"aws:SourceIp":"::/0"},"BinaryEquals":{"k":"AA=="}}}]}`), "topic/x/a", "x")
	f.Fuzz(func(t *testing.T, data []byte, resource, client string) {
		for _, kind := range []Kind{IoT, IAM, Trust} {
			doc, err := Parse(data, kind)
			if err != nil {
				if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
					t.Fatalf("%v: %v", k, err)
				}
				continue
			}
			s := Compile(Source{Name: "p", Version: "1", Document: doc})
			c := &Connection{ClientID: client, HasClientID: true, ThingName: client, SourceIP: netip.IPv6Loopback()}
			for _, action := range []string{"iot:Publish", "iot:CreateThing"} {
				r := &Request{
					Action: action, Resource: "arn:aws:iot:us-east-1:1:" + resource, Vars: c,
					Keys: map[string][]string{"k": {client, resource}}, By: &Principal{Account: client, ARNs: []string{resource}},
				}
				d := s.Decide(r)
				if d.Allowed && d.Explicit || s.Explain(r) == "" {
					t.Fatalf("%+v", d)
				}
				if e := s.Evaluate(r); e.Decision != d || d.Allowed && len(e.Allowing) == 0 {
					t.Fatalf("decided %+v, evaluated %+v", d, e)
				}
			}
		}
	})
}

// TestDecideAllocates nothing, for static resources and for one with a variable, allowed and refused.
func TestDecideAllocates(t *testing.T) {
	for _, c := range hotCases(t) {
		if got := testing.AllocsPerRun(100, func() { c.set.Decide(c.request) }); got != 0 {
			t.Errorf("%s: %v allocations", c.name, got)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range hotCases(b) {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.set.Decide(c.request)
			}
		})
	}
}

type hotCase struct {
	name    string
	set     *Set
	request *Request
}

func hotCases(t testing.TB) []hotCase {
	static := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/c1"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:us-east-1:123456789012:topic/plant/7/*"]},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/plant/7/*"},
		{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/plant/7/admin/*"}]}`
	far := strings.ReplaceAll(static, "plant/7", "plant/8")
	ten := []string{far, far, far, far, far, far, far, far, far, static}
	c := &Connection{ClientID: "c1", HasClientID: true, ThingName: "c1", ThingAttached: true}
	ask := func(action, resource string) *Request {
		return &Request{Action: action, Resource: dialogueARN + resource, Vars: c}
	}
	scoped := setOf(t, ThingScoped("123456789012", "us-east-1"))
	attached := setOf(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*",
		"Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"},"ForAllValues:StringEquals":{"iot:ConnectAttributes":"LastWill"}}}}`)
	connect := ask("iot:Connect", "client/c1")
	connect.Keys = map[string][]string{"iot:ConnectAttributes": {"LastWill"}}
	return []hotCase{
		{"everything", setOf(t, AllowEverything("123456789012", "us-east-1")), ask("iot:Publish", "topic/plant/7/temperature")},
		{"1-policy", setOf(t, static), ask("iot:Publish", "topic/plant/7/temperature")},
		{"1-policy-refused", setOf(t, static), ask("iot:Publish", "topic/plant/9/temperature")},
		{"10-policies", setOf(t, ten...), ask("iot:Publish", "topic/plant/7/temperature")},
		{"10-policies-refused", setOf(t, ten...), ask("iot:Publish", "topic/plant/9/temperature")},
		{"variable", scoped, ask("iot:Publish", "topic/c1/temperature")},
		{"variable-shadow", scoped, ask("iot:Receive", "topic/$aws/things/c1/jobs/notify")},
		{"condition", attached, connect},
	}
}
