package template

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func seedValues(tb testing.TB, data []byte) Map {
	v := Map{"device": "4D3091", "time": "1491234567"}
	v.AddCustom(config(tb, seedConfig).Decode(data))
	return v
}

func TestTheSeedsBody(t *testing.T) {
	t.Parallel()
	body, err := Parse(seedBody, Uplink, config(t, seedConfig), JSONBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data        []byte
		temperature string
	}{
		{[]byte{0x41, 0xC8, 0xCC, 0xCD}, "25.1"},
		{[]byte{0x41, 0xC8, 0x00}, "null"}, // what the sketch makes of 25.0
	} {
		want := "{\n\"device\" : \"4D3091\",  \n\"time\" : \"1491234567\",  \n\"temperature\" : \"" + c.temperature + "\"\n}"
		if got, err := body.Render(seedValues(t, c.data)); err != nil || got != want {
			t.Errorf("% X: %v, got %s, want %s", c.data, err, got, want)
		}
	}
}

func TestEachPlaceEscapesItsOwnWay(t *testing.T) {
	t.Parallel()
	v := Map{
		"device": "2DC7C1", "time": "1500452712", "data": "deadbeaf", "operatorName": "a/b c&d=é\"\\\r\nX: 1", "duplicates": `[{"bsId":"1AB3","rssi":-109.00}]`,
		"customData#temp": "25.1", "customData#name": "a\x00\"b", "customData#open": "true", "customData#n": "18446744073709551615", "lqi": "~._-",
	}
	for _, c := range []struct {
		place      Place
		text, want string
	}{
		{
			URL, "https://h/{device}/{operatorName}?o={operatorName}&l={lqi}",
			"https://h/2DC7C1/a%2Fb%20c%26d%3D%C3%A9%22%5C%0D%0AX%3A%201?o=a%2Fb%20c%26d%3D%C3%A9%22%5C%0D%0AX%3A%201&l=~._-",
		},
		{URL, "http://h:8080?t={customData#temp}", "http://h:8080?t=25.1"},
		{URL, "http://h/{fixedLat}", "http://h/null"},
		{HeaderValue, "op={operatorName}", "op=a/b c&d=é\"\\X: 1"},
		{HeaderValue, "a\r\nb\x00\tc", "ab\tc"},
		{MailSubject, "of {operatorName}", "of a/b c&d=é\"\\X: 1"},
		{MailText, "of {operatorName}\r\n", "of a/b c&d=é\"\\\r\nX: 1\r\n"},
		{FormBody, "o={operatorName}&d={device}", "o=a%2Fb%20c%26d%3D%C3%A9%22%5C%0D%0AX%3A%201&d=2DC7C1"},
		{TextBody, "{device};{time};{data};", "2DC7C1;1500452712;deadbeaf;"},
		{BatchLine, "{device};{operatorName};", "2DC7C1;a/b c&d=é\"\\\r\nX: 1;"},
		{JSONBody, `{"o":"{operatorName}"}`, `{"o":"a/b c&d=é\"\\\u000d\u000aX: 1"}`},
		{JSONBody, `{"n":"{customData#name}"}`, `{"n":"a\u0000\"b"}`},
		{
			JSONBody, `{"t":{customData#temp},"o":{customData#open},"n":{customData#n},"m":{fixedLat},"q":"{fixedLat}"}`,
			`{"t":25.1,"o":true,"n":18446744073709551615,"m":null,"q":"null"}`,
		},
		{JSONBody, `{"d":{duplicates},"c":{computedLocation}}`, `{"d":[{"bsId":"1AB3","rssi":-109.00}],"c":null}`},
		{JSONBody, `{"d":"{duplicates}"}`, `{"d":"[{\"bsId\":\"1AB3\",\"rssi\":-109.00}]"}`},
		{JSONBody, `{"{device}":{"a\"{device}":1,"{ device }":"{dev ice}{1}{}"}}`, `{"2DC7C1":{"a\"2DC7C1":1,"{ device }":"{dev ice}{1}{}"}}`},
		{JSONBody, `{"a":"\\{device}"}`, `{"a":"\\2DC7C1"}`},
		{JSONBody, `[{time}{customData#temp}]`, `[150045271225.1]`},
		{TextBody, "{{device}} {device {device#} {customData#temp", "{2DC7C1} {device {device#} {customData#temp"},
	} {
		if got := render(t, c.text, c.place, v); got != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.place, c.text, got, c.want)
		}
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	v := Map{"batch": "2DC7C1;1500452712;deadbeaf;"}
	for _, c := range []struct {
		place      Place
		text, want string
	}{
		{BatchURL, "https://h/p?var={batch}", "https://h/p?var=2DC7C1%3B1500452712%3Bdeadbeaf%3B"},
		{BatchFormBody, "batch={batch}", "batch=2DC7C1%3B1500452712%3Bdeadbeaf%3B"},
		{BatchTextBody, "{batch}", "2DC7C1;1500452712;deadbeaf;"},
		{BatchJSONBody, `["{batch}"]`, `["2DC7C1;1500452712;deadbeaf;"]`},
		{BatchHeaderValue, "{batch}", "2DC7C1;1500452712;deadbeaf;"},
	} {
		if got, err := parse(t, c.text, Uplink, c.place).Render(v); err != nil || got != c.want {
			t.Errorf("%s: %v, got %s, want %s", c.text, err, got, c.want)
		}
	}
	for _, p := range []Place{BatchURL, BatchFormBody, BatchTextBody, BatchJSONBody, BatchHeaderValue} {
		_, err := Parse(`https://h/{device}`, Uplink, config(t, ""), p)
		wantRefusal(t, p.String(), err, "use {batch}")
	}
}

// A payload's characters must not add members to the body, or end its text.
func TestJSONInjection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, name string }{
		{`{"a":{customData#name}}`, `1,"admin":true`},
		{`{"a":{customData#name}}`, `1}, {`},
		{`{"a":{customData#name}}`, `ABCD`},
		{`{"a":[{customData#name}]}`, `1],"b":[2`},
		{`{"a":{customData#name}}`, ``},
	} {
		_, err := parse(t, c.body, Uplink, JSONBody).Render(Map{"customData#name": c.name})
		if !errors.Is(err, ErrNotJSON) || !fault.Is(err, fault.Invalid) || err.Error() != "JSON body could not be evaluated" {
			t.Errorf("%s with %q: %v", c.body, c.name, err)
		}
	}
	_, err := Parse(`{"a":"\{device}"}`, Uplink, config(t, ""), JSONBody)
	wantRefusal(t, "a backslash before a variable", err, "backslash right before {device}")
}

func TestBodyThatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"a":1`, `{'a':1}`, `{"a":"{device}`, ` `, `{"a":01{time}}`, "{\"a\":\"\n\"}"} {
		if _, err := parse(t, body, Uplink, JSONBody).Render(Map{"device": "2DC7C1", "time": "1"}); !errors.Is(err, ErrNotJSON) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestLimitsHoldAfterRendering(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("/", 800) // three bytes each, once encoded
	for _, c := range []struct {
		place Place
		text  string
		value string
	}{
		{URL, "https://h/{operatorName}", long},
		{BatchURL, "https://h/{batch}", strings.Repeat(long, 8)},
		{HeaderValue, "{operatorName}", strings.Repeat("a", MaxHeaderValue+1)},
		{JSONBody, `"{operatorName}"`, strings.Repeat("a", MaxBody-1)},
		{TextBody, "{operatorName}{operatorName}", strings.Repeat("a", MaxBody)},
	} {
		_, err := parse(t, c.text, DataAdvanced, c.place).Render(Map{"operatorName": c.value, "batch": c.value})
		wantRefusal(t, c.place.String(), err, "bytes with its values")
		if !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: %v", c.place, err)
		}
	}
	if got := render(t, `"{operatorName}"`, JSONBody, Map{"operatorName": strings.Repeat("a", MaxBody-2)}); len(got) != MaxBody {
		t.Errorf("%d bytes", len(got))
	}
	_, err := Parse("https://h/"+strings.Repeat("a", MaxURL), Uplink, config(t, ""), URL)
	wantRefusal(t, "a long URL", err, "2048 are allowed")
}

func TestMapTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	v := Map{}
	v.AddCustom(config(t, "a::uint:8 b::uint:8").Decode([]byte{7}))
	if got := render(t, "{device}", TextBody, v); got != "null" {
		t.Errorf("got %s", got)
	}
	if text, ok := v.Value("customData#a"); text != "7" || !ok {
		t.Errorf("a is %q, %v", text, ok)
	}
	if text, ok := v.Value("customData#b"); ok {
		t.Errorf("b is %q", text)
	}
}

// FuzzRender: whatever is typed and whatever a device sends, a value stays where it was put.
func FuzzRender(f *testing.F) {
	f.Add(seedBody, "25.1")
	for _, text := range []string{
		"https://u:p@h:1/{device}?a={customData#name}", `{"a":{customData#name},"b":"{device}"}`, `"\u{device}\\{device}"`, "{customData#name}\r\n",
		"a={device}&b={customData#name}", "{batch}", `[{"{device}":"\"{device}"},{device}]`, "https://h?{device}#", "http://{device}/",
	} {
		f.Add(text, "a\"\\/&=%\r\n#?{device}é\x00\xff")
		f.Add(text, `1,"b":[2]}`)
	}
	fields := config(f, mixed)
	f.Fuzz(func(t *testing.T, text, value string) {
		for p := URL; p <= BatchTextBody; p++ {
			tmpl, err := Parse(text, Bidir, fields, p)
			if err != nil {
				if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
					t.Fatalf("%s %q: %v", p, text, err)
				}
				continue
			}
			_ = tmpl.Lint()
			checkRendered(t, tmpl, value)
		}
	})
}

// same is one value for every variable.
type same string

func (s same) Value(string) (string, bool) { return string(s), true }

func checkRendered(t *testing.T, tmpl *Template, value string) {
	got, err := tmpl.Render(same(value))
	if err != nil {
		if !errors.Is(err, ErrNotJSON) && !fault.Is(err, fault.TooLarge) {
			t.Fatalf("%q: %v", tmpl, err)
		}
		return
	}
	if len(got) > tmpl.place.limit() {
		t.Fatalf("%d bytes of %s", len(got), tmpl.place)
	}
	skeleton := tmpl.skeleton()
	switch place := tmpl.place.plain(); {
	case place == URL:
		checkURLUnchanged(t, skeleton, got)
	case place.isLine() && strings.ContainsAny(got, "\r\n\x00"):
		t.Fatalf("%q is no line", got)
	case place == FormBody && (strings.Count(got, "&") != strings.Count(skeleton, "&") || strings.Count(got, "=") != strings.Count(skeleton, "=")):
		t.Fatalf("%q has other parameters than %q", got, skeleton)
	case place == JSONBody:
		checkJSONUnchanged(t, tmpl, got)
	}
}

func checkURLUnchanged(t *testing.T, skeleton, got string) {
	before, err := url.Parse(skeleton)
	if err != nil {
		t.Fatal(err)
	}
	after, err := url.Parse(got)
	if err != nil {
		t.Fatalf("%q became %q: %v", skeleton, got, err)
	}
	if before.Scheme != after.Scheme || before.Host != after.Host || before.User.String() != after.User.String() || after.Fragment != "" ||
		strings.Count(before.EscapedPath(), "/") != strings.Count(after.EscapedPath(), "/") ||
		strings.Count(before.RawQuery, "&") != strings.Count(after.RawQuery, "&") {
		t.Fatalf("%q became %q", skeleton, got)
	}
}

func BenchmarkRender(b *testing.B) {
	body, err := Parse(seedBody, Uplink, config(b, seedConfig), JSONBody)
	if err != nil {
		b.Fatal(err)
	}
	v := seedValues(b, []byte{0x41, 0xC8, 0xCC, 0xCD})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := body.Render(v); err != nil {
			b.Fatal(err)
		}
	}
}
