package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwire/thingwire/internal/fault"
)

func open(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// told is what a test compares: the entries in one line each.
func told(entries []Entry) []string {
	lines := make([]string, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		line := e.ClientID + " " + e.EventType + " " + e.Status
		for _, s := range []string{e.Reason, e.TopicName, e.Cause} {
			if s != "" {
				line += " " + s
			}
		}
		if e.Count > 0 {
			line += fmt.Sprintf(" x%d", e.Count)
		}
		lines = append(lines, line)
	}
	return lines
}

func expect(t *testing.T, got []Entry, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, told(got), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

// The names are AWS's (developer guide, "CloudWatch Logs: AWS IoT log entries"); programs that read AWS's logs read ours.
func TestEntryHasTheShapeOfAWS(t *testing.T) {
	t.Parallel()
	j := open(t, Options{Account: "123456789012"})
	j.Record(Entry{
		Timestamp: Stamp{time.Date(2017, 8, 10, 15, 37, 23, 476_999_999, time.FixedZone("", 3600))}, TraceID: "20b23f3f",
		EventType: Disconnect, ClientID: "lamp", PrincipalID: "c0ffee", SourceIP: "192.0.2.1", SourcePort: 4711,
		DisconnectReason: "DUPLICATE_CLIENTID", ReasonCode: 0x8E, Packet: "CONNECT", Listener: "mqtts",
		Cause: "another connection came with the same client id",
	})
	line, err := json.Marshal(j.Query(Query{})[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"timestamp":"2017-08-10 14:37:23.476","logLevel":"ERROR","traceId":"20b23f3f","accountId":"123456789012",` +
		`"status":"Failure","eventType":"Disconnect","protocol":"MQTT","clientId":"lamp","principalId":"c0ffee",` +
		`"sourceIp":"192.0.2.1","sourcePort":4711,"reason":"DUPLICATE_CLIENT_ID",` +
		`"details":"A new connection was established with the same client ID","disconnectReason":"DUPLICATE_CLIENTID",` +
		`"packet":"CONNECT","reasonCode":142,"cause":"another connection came with the same client id",` +
		`"remedy":"two clients use this client id: give each device its own; if it is one device, it connects again before it has closed its old connection",` +
		`"listener":"mqtts"}`
	if d := cmp.Diff(want, string(line)); d != "" {
		t.Error(d)
	}
}

func TestWhatIsEmptyIsFilled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   Entry
		want Entry
	}{
		{
			"a connection that is accepted",
			Entry{EventType: Connect},
			Entry{EventType: Connect, Status: Success, LogLevel: LevelInfo, Protocol: "MQTT"},
		},
		{
			"the client's own goodbye",
			Entry{EventType: Disconnect, DisconnectReason: "CLIENT_INITIATED_DISCONNECT"},
			Entry{EventType: Disconnect, DisconnectReason: "CLIENT_INITIATED_DISCONNECT", Status: Success, LogLevel: LevelInfo, Protocol: "MQTT"},
		},
		{
			"a lost connection",
			Entry{EventType: Disconnect, DisconnectReason: "CONNECTION_LOST", Cause: "reset"},
			Entry{
				EventType: Disconnect, DisconnectReason: "CONNECTION_LOST", Reason: "CONNECTION_LOST", Details: "reset", Cause: "reset",
				Status: Failure, LogLevel: LevelError, Protocol: "MQTT", Remedy: remedies[occasion{reason: "CONNECTION_LOST"}],
			},
		},
		{
			"a payload over the limit",
			Entry{EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: 0x95},
			Entry{
				EventType: Disconnect, DisconnectReason: "CLIENT_ERROR", ReasonCode: 0x95, Reason: ReasonPayloadLimit,
				Details: "Message payload exceeds size limit for message type.", Status: Failure, LogLevel: LevelError,
				Protocol: "MQTT", Remedy: remedies[occasion{reason: "CLIENT_ERROR", code: 0x95}],
			},
		},
	} {
		tc.in.fill("")
		if d := cmp.Diff(tc.want, tc.in, cmpopts.IgnoreFields(Entry{}, "TraceID", "Timestamp")); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}

func TestBecauseTakesWhatARefusalSays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err                   error
		reason, cause, remedy string
	}{
		{fault.New(fault.Denied, "no policy allows it").WithRemedy("allow it"), ReasonAuthorization, "no policy allows it", "allow it"},
		{
			fault.Wrap(fault.Unauthenticated, errors.New("DEVICE_CERTIFICATE_INACTIVE"), "certificate c0ffee is inactive").WithRemedy("activate it"),
			ReasonCertificateInactive, "certificate c0ffee is inactive", "activate it",
		},
		{fault.New(fault.Throttled, "too often"), ReasonThrottled, "too often", ""},
		{fault.New(fault.TooLarge, "too much"), ReasonPayloadLimit, "too much", ""},
		{fault.Wrap(fault.Invalid, errors.New("at 3"), "bad name"), ReasonInvalid, "bad name: at 3", ""},
		{fault.New(fault.Unsupported, "not yet"), ReasonUnsupported, "not yet", ""},
		{errors.New("disk full"), ReasonServerError, "disk full", ""},
	} {
		e := Entry{EventType: Connect}
		e.Because(tc.err)
		if e.Status != Failure || e.Reason != tc.reason || e.Cause != tc.cause || e.Remedy != tc.remedy {
			t.Errorf("Because(%v) = %q %q %q %q", tc.err, e.Status, e.Reason, e.Cause, e.Remedy)
		}
	}
}

func TestRepeatsJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Options{Dir: dir, Window: time.Minute})
		denied := Entry{EventType: PublishIn, ClientID: "lamp", TopicName: "a/b", Reason: ReasonAuthorization}
		for i := range 50 {
			denied.Cause = fmt.Sprint("try ", i)
			j.Record(denied)
			time.Sleep(time.Second)
		}
		other := denied
		other.TopicName = "a/c"
		j.Record(other)
		expect(t, j.Query(Query{}),
			"lamp Publish-In Failure AUTHORIZATION_FAILURE a/b try 49 x50",
			"lamp Publish-In Failure AUTHORIZATION_FAILURE a/c try 49")
		if e := j.Query(Query{})[0]; e.Timestamp.Sub(e.FirstSeen.Time) != 49*time.Second {
			t.Errorf("first seen %v, last %v", e.FirstSeen, e.Timestamp)
		}

		time.Sleep(11 * time.Second) // the window began with the first and is over
		j.Record(denied)
		expect(t, j.Query(Query{ClientID: "lamp", Limit: 1}), "lamp Publish-In Failure AUTHORIZATION_FAILURE a/b try 49")
		synctest.Wait()
		wantLines(t, dir, `try 0"`, `a/c"`, `"count":50`, `try 49"`)
	})
}

// The last of the repeats has the words, whether they change or come back.
func TestLastRepeatHasTheWords(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	for i, cause := range []string{"a", "a", "b?token=x", "b?token=x", "a"} {
		j.Record(Entry{EventType: Disconnect, ClientID: "lamp", DisconnectReason: "CONNECTION_LOST", Cause: cause, Count: i, SourcePort: uint16(i)})
	}
	got := j.Query(Query{})
	expect(t, got, "lamp Disconnect Failure CONNECTION_LOST a x11")
	if got[0].SourcePort != 4 || got[0].FirstSeen.IsZero() {
		t.Errorf("the last port is %d, first seen %v", got[0].SourcePort, got[0].FirstSeen)
	}
}

// What differs in who, what or which code is told apart, however fast it comes.
func TestWhatIsNoRepeat(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	base := Entry{EventType: Disconnect, ClientID: "lamp", DisconnectReason: "CLIENT_ERROR", ReasonCode: 0x82}
	change := []func(*Entry){
		func(*Entry) {},
		func(e *Entry) { e.ClientID = "door" },
		func(e *Entry) { e.EventType = Connect },
		func(e *Entry) { e.DisconnectReason = "CONNECTION_LOST" },
		func(e *Entry) { e.ReasonCode = 0x81 },
		func(e *Entry) { e.TopicName = "a" },
		func(e *Entry) { e.Policy, e.Statement = "p", "1" },
		func(e *Entry) { e.Policy, e.Statement = "p", "2" },
		func(e *Entry) { e.SourceIP = "192.0.2.1" },
		func(e *Entry) { e.PrincipalID = "cert" },
		func(e *Entry) { e.EventType, e.Status, e.SourceIP = Connect, Success, "192.0.2.1" },
		func(e *Entry) { e.EventType, e.Status, e.SourceIP = Connect, Success, "192.0.2.2" },
		func(e *Entry) { e.ClientID, e.SourceIP = "", "192.0.2.1" },
		func(e *Entry) { e.ClientID, e.SourceIP = "", "192.0.2.2" },
	}
	for range 3 {
		for _, f := range change {
			e := base
			f(&e)
			j.Record(e)
		}
	}
	got := j.Query(Query{})
	if len(got) != len(change) {
		t.Errorf("%d entries, want %d", len(got), len(change))
	}
	for i := range got {
		if got[i].Count != 3 {
			t.Errorf("entry %d has count %d, want 3", i, got[i].Count)
		}
	}
}

func TestQueryAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{})
		start := time.Now()
		j.Record(Entry{EventType: AuthNError, SourceIP: "192.0.2.1", PrincipalID: "cert1", Reason: ReasonCertificateInactive})
		time.Sleep(time.Hour)
		j.Record(Entry{EventType: Connect, ClientID: "lamp", PrincipalID: "cert1", ThingName: "Lamp"})
		j.Record(Entry{EventType: Connect, ClientID: "door", PrincipalID: "cert2"})
		j.Record(Entry{EventType: AuthNError, SourceIP: "192.0.2.1", Reason: ReasonHandshake})
		time.Sleep(time.Hour)
		j.Record(Entry{EventType: Disconnect, ClientID: "lamp", DisconnectReason: "CONNECTION_LOST"})

		inactive, lost := " Connection.AuthNError Failure DEVICE_CERTIFICATE_INACTIVE", "lamp Disconnect Failure CONNECTION_LOST"
		lamp, door, shake := "lamp Connect Success", "door Connect Success", " Connection.AuthNError Failure TLS_HANDSHAKE_FAILED"
		expect(t, j.Query(Query{}), inactive, lamp, door, shake, lost)
		expect(t, j.Query(Query{Limit: 2}), shake, lost)
		expect(t, j.Query(Query{Failures: true}), inactive, shake, lost)
		expect(t, j.Query(Query{Unnamed: true}), inactive, shake)
		expect(t, j.Query(Query{Since: start.Add(time.Hour)}), lamp, door, shake, lost)
		expect(t, j.Query(Query{ClientID: "lamp"}), inactive, lamp, lost) // its certificate was refused before
		expect(t, j.Query(Query{ClientID: "Lamp"}), lamp)
		expect(t, j.Query(Query{ClientID: "cert2"}), door)
		expect(t, j.Query(Query{ClientID: "nobody"}))
	})
}

// More at once than the intake holds is counted, and nobody waits.
func TestLossIsAnEntry(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MemoryEntries: 10_000})
	j.mu.Lock() // nobody drains
	for i := range intakeEntries + 100 {
		j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint(i)})
	}
	j.mu.Unlock()
	got := j.Query(Query{Limit: 10_000})
	if len(got) != intakeEntries+1 {
		t.Errorf("%d entries, want %d", len(got), intakeEntries+1)
	}
	if last := got[len(got)-1]; last.Reason != ReasonEntriesLost || last.Count != 100 {
		t.Errorf("the last entry is %v", told(got[len(got)-1:]))
	}
}

// Large texts of clients do not fill the memory.
func TestIntakeIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	huge := strings.Repeat("x", 60_000)
	j.mu.Lock()
	for range 1000 {
		j.Record(Entry{EventType: Subscribe, ClientID: "lamp", TopicName: huge})
	}
	if j.intake.bytes > intakeBytes || j.intake.lost == 0 {
		t.Errorf("the intake holds %d bytes and lost %d", j.intake.bytes, j.intake.lost)
	}
	j.mu.Unlock()
	if e := j.Query(Query{})[0]; len(e.TopicName) > maxText {
		t.Errorf("a topic of %d bytes is kept", len(e.TopicName))
	}
}

// A client that fails in a loop does not push out what is known of the others.
func TestNoisyClientKeepsToItsPart(t *testing.T) {
	t.Parallel()
	j := open(t, Options{MemoryEntries: 100})
	j.Record(Entry{EventType: Connect, ClientID: "quiet"})
	for i := range 1000 {
		j.Record(Entry{EventType: PublishIn, ClientID: "noisy", TopicName: fmt.Sprint(i), Reason: ReasonThrottled})
	}
	expect(t, j.Query(Query{ClientID: "quiet"}), "quiet Connect Success")
	if n := len(j.Query(Query{ClientID: "noisy"})); n != j.memory.mostOfOne {
		t.Errorf("%d entries of the noisy client, want %d", n, j.memory.mostOfOne)
	}
	for i := range 1000 {
		j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint("client", i)})
	}
	if n := len(j.Query(Query{})); n != 100 || len(j.memory.subjects) != 100 {
		t.Errorf("%d entries of %d subjects, want 100 of 100", n, len(j.memory.subjects))
	}
}

// A stream of ever new client ids does not keep windows open without bound.
func TestWindowsAreBounded(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	for i := range 3 * maxWindows {
		j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint(i)})
		if i%100 == 0 {
			j.Query(Query{Limit: 1})
		}
	}
	j.Query(Query{Limit: 1})
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.windows.byKey) > maxWindows || len(j.windows.queue) > maxWindows {
		t.Errorf("%d windows are open", len(j.windows.byKey))
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	j := open(t, Options{Dir: t.TempDir(), DiskBytes: 100_000, MemoryEntries: 500})
	ctx, cancel := context.WithCancel(t.Context())
	var work, following sync.WaitGroup
	following.Go(func() {
		if err := j.Follow(ctx, Query{}, func(Entry) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	for w := range 4 {
		work.Go(func() {
			for i := range 500 {
				j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint(w), TopicName: fmt.Sprint(i)})
				if i%50 == 0 {
					j.Query(Query{ClientID: fmt.Sprint(w)})
				}
			}
		})
	}
	work.Wait()
	cancel()
	following.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// The client of a refused request has its id, so a repeat is found by its own; only a flood is counted.
func TestRefusedRequestsAreFoundByTheirIDs(t *testing.T) {
	t.Parallel()
	j := open(t, Options{})
	const flood = 500
	for i := range flood {
		j.Record(Entry{EventType: PublishIn, Protocol: "HTTP", Status: Failure, Reason: ReasonAuthorization, TraceID: fmt.Sprint("trace-", i)})
	}
	entries := j.Query(Query{})
	if len(entries) != 1+maxAlone {
		t.Fatalf("%d entries of %d refusals", len(entries), flood)
	}
	count := 0
	for _, e := range entries {
		count += max(1, e.Count)
	}
	if count != flood {
		t.Errorf("%d refusals are counted", count)
	}
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.TraceID == "trace-7" }); i < 0 {
		t.Error("trace-7 is not found")
	}
}
