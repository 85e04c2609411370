package journal

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readAll(t *testing.T, data []byte) []Entry {
	t.Helper()
	var got []Entry
	if err := readSegment(bytes.NewReader(data), everyLine, func(e *Entry) { got = append(got, *e) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReadSegmentLeavesOutWhatIsNoEntry(t *testing.T) {
	t.Parallel()
	good := `{"timestamp":"2025-01-02 03:04:05.678","traceId":"1","eventType":"Connect","clientId":"lamp","status":"Success"}` + "\n"
	for name, bad := range map[string]string{
		"nothing": "", "an empty line": "\n", "no JSON": "hello\n", "a torn line": good[:40] + "\n", "another type": "[]\n",
		"a number": "1\n", "null": "null\n", "no trace id": `{"timestamp":"2025-01-02 03:04:05.678","eventType":"Connect"}` + "\n",
		"no time": `{"traceId":"1","eventType":"Connect"}` + "\n", "a bad time": `{"timestamp":"yesterday","traceId":"1","eventType":"Connect"}` + "\n",
		"a code out of range": strings.Replace(good, `"clientId"`, `"reasonCode":256,"clientId"`, 1),
		"a line too long":     `{"x":"` + strings.Repeat("x", 2*maxLine) + "\"}\n", "zeros": "\x00\x00\x00\n",
	} {
		got := readAll(t, []byte(good+bad+good))
		if len(got) != 2 {
			t.Errorf("%s: %d entries are read, want 2", name, len(got))
		}
		if got = readAll(t, []byte(good+strings.TrimSuffix(bad, "\n"))); len(got) != 1 {
			t.Errorf("%s at the end: %d entries are read, want 1", name, len(got))
		}
	}
}

// FuzzReadSegment: no file harms, and what is read is written and read as the same again.
func FuzzReadSegment(f *testing.F) {
	e := Entry{
		Timestamp: Stamp{time.Date(2025, 1, 2, 3, 4, 5, 678e6, time.UTC)}, EventType: Subscribe, ClientID: "lamp", TopicName: "a<b>",
		Subscriptions: []Subscription{{"a", 0x87}}, Reason: ReasonAuthorization, ReasonCode: 0x87, Count: 3, SourcePort: 1,
	}
	e.fill("000000000000")
	line := appendLine(nil, &e)
	f.Add(line)
	f.Add(line[:len(line)/2])
	f.Add(slices.Concat(line, line))
	f.Add([]byte("{}\nnull\n\n[1]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first := readAll(t, data)
		var again []byte
		for i := range first {
			again = appendLine(again, &first[i])
		}
		if d := cmp.Diff(first, readAll(t, again)); d != "" {
			t.Errorf("written and read again (-first +second):\n%s", d)
		}
	})
}
