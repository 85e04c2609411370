package template

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

func TestEachKindHasTheVariablesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	uplink := "device time data seqNumber deviceTypeId snr rssi station duplicate avgSnr lat lng"
	for _, c := range []struct {
		kind            Kind
		name, variables string
		payload, json   bool
	}{
		{Uplink, "DATA/UPLINK", uplink, true, false},
		{Bidir, "DATA/BIDIR", uplink + " ack longPolling", true, false},
		{Status, "SERVICE/STATUS", "device time temp batt seqNumber deviceTypeId duplicate avgSnr lat lng snr rssi station", false, false},
		{Geoloc, "SERVICE/GEOLOC", "device time data seqNumber lat lng radius geolocSource", false, false},
		{Acknowledge, "SERVICE/ACKNOWLEDGE", "device time deviceTypeId infoCode infoMessage downlinkAck downlinkOverusage", false, false},
		{Repeater, "SERVICE/REPEATER", "device time data seqNumber snr rssi station", false, false},
		{DataAdvanced, "SERVICE/DATA_ADVANCED", "device time data seqNumber deviceTypeId lqi linkQuality fixedLat fixedLng operatorName countryCode " +
			"duplicates computedLocation", true, true},
		{Error, "ERROR", "device deviceTypeId time info severity", false, false},
		{Kind{2, 7}, "ERROR", "device deviceTypeId time info severity", false, false},
		{Event, "EVENT", "time severity eventType sourceId sourceType deviceTypeId groupId deviceInfo deviceMessageTime deviceLastSeqnumber " +
			"deviceMessageSeqnumber deviceExpectedSeqnumber deviceShortCause deviceCause networkOperatorId businessOperatorId contractId contractIds " +
			"subscriptionState contractExpectedEndTime tokenExpectedEndTime", false, false},
		{Kind{1, 9}, "1/9", "", false, false},
	} {
		k := c.kind
		if got := strings.Join(k.Variables(), " "); got != c.variables || k.String() != c.name || k.HasPayload() != c.payload || k.JSONOnly() != c.json {
			t.Errorf("%s: %s, payload %v, JSON %v", k, got, k.HasPayload(), k.JSONOnly())
		}
		if k.Known() != (c.variables != "") {
			t.Errorf("%s is known: %v", k, k.Known())
		}
	}
}

func TestEveryVariableOfEachKindIsAccepted(t *testing.T) {
	t.Parallel()
	for _, row := range kindRows {
		for _, v := range row.variables {
			tmpl := parse(t, "{"+v.name+"}", row.kind, TextBody)
			if got, err := tmpl.Render(same("x")); err != nil || got != "x" {
				t.Errorf("%s %s: %q, %v", row.name, v.name, got, err)
			}
		}
	}
}

func TestUnknownVariablesAreRefusedWithThoseThereAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  Kind
		text  string
		words string
	}{
		{Uplink, "{foo}", "unknown variable {foo} in the text body of a DATA/UPLINK callback; use one of {device}, {time}, {data}"},
		{Uplink, "{foo}", "{customData#temp}, {customData#name}, {customData#open}, {customData#n}"},
		{Uplink, "{Device}", "did you mean {device}?"},
		{Uplink, "{customdata#temp}", "did you mean {customData#temp}?"},
		{Uplink, "{ack}", "unknown variable {ack}"},
		{Uplink, "{customData}", "unknown variable {customData}"},
		{Uplink, "{device#x}", "unknown variable {device#x}"},
		{Uplink, "{customData#hum}", "custom data are the fields of the callback's own payload config"},
		{Status, "{customData#temp}", "unknown variable {customData#temp} in the text body of a SERVICE/STATUS callback"},
		{Uplink, "{batch}", "unknown variable {batch}"},
		{Kind{5, 5}, "", "no kind of callback 5/5"},
	} {
		_, err := Parse(c.text, c.kind, config(t, mixed), TextBody)
		wantRefusal(t, c.text, err, c.words)
	}
}

func TestTextsThatNoPlaceTakes(t *testing.T) {
	t.Parallel()
	_, err := Parse("\xff", Uplink, payload.Config{}, TextBody)
	wantRefusal(t, "what is not UTF-8", err, "not valid UTF-8")
	_, err = Parse("", Uplink, payload.Config{}, JSONBody)
	wantRefusal(t, "an empty JSON body", err, "empty")
	_, err = Parse(strings.Repeat("a", MaxBody+1), Uplink, payload.Config{}, TextBody)
	wantRefusal(t, "a long body", err, "131072 are allowed")
}

func TestTemplateTellsItsVariables(t *testing.T) {
	t.Parallel()
	tmpl := parse(t, "{time}{device} {time}{customData#temp}", Uplink, TextBody)
	if got, want := tmpl.Variables(), []string{"time", "device", "customData#temp"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if tmpl.String() != "{time}{device} {time}{customData#temp}" {
		t.Errorf("text is %s", tmpl)
	}
}

func TestBodyPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		contentType  string
		plain, batch Place
	}{
		{"", FormBody, BatchFormBody},
		{"application/x-www-form-urlencoded", FormBody, BatchFormBody},
		{"application/json", JSONBody, BatchJSONBody},
		{"text/plain", TextBody, BatchTextBody},
	} {
		plain, err := BodyPlace(c.contentType, false)
		if err != nil || plain != c.plain {
			t.Errorf("%q: %s, %v", c.contentType, plain, err)
		}
		batch, err := BodyPlace(c.contentType, true)
		if err != nil || batch != c.batch {
			t.Errorf("%q of a batch: %s, %v", c.contentType, batch, err)
		}
	}
	_, err := BodyPlace("text/html", false)
	wantRefusal(t, "text/html", err, "use application/x-www-form-urlencoded, application/json or text/plain")
	for p := URL; p <= BatchTextBody; p++ {
		if strings.Contains(p.String(), "unknown") || fmt.Sprint(p.plain()) != p.String() {
			t.Errorf("%d is %s", p, p)
		}
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		place Place
		text  string
		want  []string
	}{
		{JSONBody, `{"t":{customData#temp},"o":"{customData#open}","n":"{customData#name}","d":"{device}","at":"{time}"}`, nil},
		{JSONBody, `{"t":"it is {customData#temp} C"}`, nil},
		{JSONBody, `{"t":"{customData#temp} C"}`, nil},
		{JSONBody, `{"t":"{customData#temp}"}`, []string{"{customData#temp} is a number in quotes: the body has a text, for which rule SQL needs " +
			"cast(… as Decimal); without the quotes it is a number"}},
		{JSONBody, `{"{customData#n}":"{customData#n}"}`, []string{"{customData#n} is a number in quotes: the body has a text, for which rule SQL needs " +
			"cast(… as Decimal); without the quotes it is a number"}},
		{TextBody, `"{customData#temp}"`, nil},
		{JSONBody, `{"d":{device}}`, []string{`{device} is text without quotes: the body will not be JSON; write "{device}"`}},
		{JSONBody, `{"d":{customData#name}}`, []string{`{customData#name} is text without quotes: the body will not be JSON; write "{customData#name}"`}},
		{JSONBody, `{"s":{snr},"a":{avgSnr}}`, []string{"{avgSnr} is deprecated by Sigfox and mostly null"}},
		{JSONBody, `{"d":"{device}"`, []string{"the body is not JSON, whatever the values are: nothing would be sent"}},
	} {
		if got := parse(t, c.text, Uplink, c.place).Lint(); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.text, got, c.want)
		}
	}
	if got := parse(t, `{"d":"{duplicates}"}`, DataAdvanced, JSONBody).Lint(); len(got) != 1 || !strings.HasPrefix(got[0], "{duplicates} is a JSON array or object in quotes") {
		t.Errorf("got %q", got)
	}
}
