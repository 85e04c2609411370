package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// logger is a registry that keeps what it says of the logging options.
type logger struct {
	*Registry
	told []Logging
}

func newLogger(t testing.TB, s store.Store) *logger {
	t.Helper()
	l := &logger{}
	r, err := Open(t.Context(), Config{
		Store: s, LogEventTypes: []string{"Connect", "Publish-In"}, Logging: func(now *Logging) { l.told = append(l.told, *now) },
	})
	must(t, err)
	t.Cleanup(r.Close)
	l.Registry = r
	return l
}

func TestLoggingOptions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := newLogger(t, s)
	ctx := t.Context()
	_, err := r.GetLogging(ctx)
	wantKind(t, err, fault.NotFound, ErrNotConfigured)
	if len(r.told) != 0 {
		t.Errorf("told %+v", r.told)
	}
	role := "arn:aws:iam::000000000000:role/logs"
	must(t, r.SetLogging(ctx, LoggingUpdate{RoleARN: role, DisableAll: true}))
	must(t, r.SetLogging(ctx, LoggingUpdate{DefaultLevel: LogWarn, Events: []LogEvent{{Type: "Connect"}, {Type: "Publish-In", Level: LogDebug}}}))
	must(t, r.SetLogLevel(ctx, LogTarget{Type: LogClientID, Name: "lamp/1", Level: LogInfo}))
	must(t, r.SetLogging(ctx, LoggingUpdate{DefaultLevel: LogError}))
	events := map[string]LogLevel{"Connect": LogWarn, "Publish-In": LogDebug}
	targets := []LogTarget{{LogClientID, "lamp/1", LogInfo}}
	want := []Logging{
		{RoleARN: role, DefaultLevel: LogInfo, DisableAll: true},
		{RoleARN: role, DefaultLevel: LogWarn, Events: events},
		{RoleARN: role, DefaultLevel: LogWarn, Events: events, Targets: targets},
		{RoleARN: role, DefaultLevel: LogError, Events: events, Targets: targets},
	}
	if diff := cmp.Diff(want, r.told); diff != "" {
		t.Error(diff)
	}
	must(t, r.SetLogging(ctx, LoggingUpdate{Events: []LogEvent{}}))
	got, err := r.GetLogging(ctx)
	must(t, err)
	if len(got.Events) != 0 || len(got.Targets) != 1 {
		t.Errorf("without event types: %+v", got)
	}
	if again := newLogger(t, s); len(again.told) != 1 || again.told[0].DefaultLevel != LogError {
		t.Errorf("told at the start: %+v", again.told)
	}
}

func TestLoggingOptionsRefused(t *testing.T) {
	t.Parallel()
	r := newLogger(t, newStore(t))
	for _, c := range []struct {
		update LoggingUpdate
		kind   fault.Kind
	}{
		{LoggingUpdate{DefaultLevel: "LOUD"}, fault.Invalid},
		{LoggingUpdate{DefaultLevel: "info"}, fault.Invalid},
		{LoggingUpdate{RoleARN: "logs"}, fault.Invalid},
		{LoggingUpdate{Events: []LogEvent{{Type: "Ping"}}}, fault.Invalid},
		{LoggingUpdate{Events: []LogEvent{{Type: "Connect", Level: "LOUD"}}}, fault.Invalid},
		{LoggingUpdate{Events: []LogEvent{{Type: "Connect"}, {Type: "Connect"}}}, fault.Invalid},
		{LoggingUpdate{Events: []LogEvent{{Type: "Connect", Destination: "group"}}}, fault.Unsupported},
	} {
		wantKind(t, r.SetLogging(t.Context(), c.update), c.kind, "")
	}
	if len(r.told) != 0 {
		t.Errorf("told %+v", r.told)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	r := newLogger(t, newStore(t))
	ctx := t.Context()
	lamp := LogTarget{Type: LogClientID, Name: "lamp", Level: LogDebug}
	wantKind(t, r.SetLogLevel(ctx, lamp), fault.NotFound, ErrNotConfigured)
	_, _, err := r.ListLogLevels(ctx, "", Page{})
	wantKind(t, err, fault.NotFound, ErrNotConfigured)
	must(t, r.DeleteLogLevel(ctx, lamp))

	must(t, r.SetLogging(ctx, LoggingUpdate{DefaultLevel: LogError}))
	for _, target := range []LogTarget{
		lamp,
		{LogSourceIP, "::FFFF:192.0.2.1", LogInfo},
		{LogPrincipalID, "c0ffee", LogDisabled},
		{LogClientID, "door", LogInfo},
		{LogClientID, "lamp", LogWarn}, // again
		{LogDefault, "", LogInfo},
	} {
		must(t, r.SetLogLevel(ctx, target))
	}
	want := []LogTarget{
		{LogClientID, "door", LogInfo},
		{LogClientID, "lamp", LogWarn},
		{LogDefault, "", LogInfo},
		{LogPrincipalID, "c0ffee", LogDisabled},
		{LogSourceIP, "192.0.2.1", LogInfo},
	}
	var got []LogTarget
	for page := (Page{Limit: 2}); ; {
		some, next, err := r.ListLogLevels(ctx, "", page)
		must(t, err)
		got = append(got, some...)
		if page.After = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	clients, next, err := r.ListLogLevels(ctx, LogClientID, Page{Limit: 2})
	if diff := cmp.Diff(want[:2], clients); diff != "" || next != "" || err != nil {
		t.Error(diff, next, err)
	}
	must(t, r.DeleteLogLevel(ctx, LogTarget{Type: LogSourceIP, Name: "192.0.2.1"}))
	must(t, r.DeleteLogLevel(ctx, LogTarget{Type: LogSourceIP, Name: "192.0.2.1"}))
	if left, _, err := r.ListLogLevels(ctx, LogSourceIP, Page{}); len(left) != 0 || err != nil {
		t.Error(left, err)
	}
}

func TestLogLevelsRefused(t *testing.T) {
	t.Parallel()
	r := newLogger(t, newStore(t))
	ctx := t.Context()
	must(t, r.SetLogging(ctx, LoggingUpdate{}))
	for _, c := range []struct {
		target LogTarget
		kind   fault.Kind
	}{
		{LogTarget{LogClientID, "lamp", "LOUD"}, fault.Invalid},
		{LogTarget{LogClientID, "lamp", ""}, fault.Invalid},
		{LogTarget{LogClientID, "", LogInfo}, fault.Invalid},
		{LogTarget{LogClientID, strings.Repeat("x", 129), LogInfo}, fault.Invalid},
		{LogTarget{LogClientID, "\xff", LogInfo}, fault.Invalid},
		{LogTarget{LogDefault, "lamp", LogInfo}, fault.Invalid},
		{LogTarget{LogSourceIP, "192.0.2.0/24", LogInfo}, fault.Invalid},
		{LogTarget{LogThingGroup, "house", LogInfo}, fault.Unsupported},
		{LogTarget{"LAMP", "lamp", LogInfo}, fault.Invalid},
	} {
		wantKind(t, r.SetLogLevel(ctx, c.target), c.kind, "")
	}
	wantKind(t, r.DeleteLogLevel(ctx, LogTarget{Type: LogDefault}), fault.Invalid, "")
	wantKind(t, r.DeleteLogLevel(ctx, LogTarget{Type: "LAMP", Name: "lamp"}), fault.Invalid, "")
	_, _, err := r.ListLogLevels(ctx, "LAMP", Page{})
	wantKind(t, err, fault.Invalid, "")
	if none, _, err := r.ListLogLevels(ctx, LogThingGroup, Page{}); len(none) != 0 || err != nil {
		t.Error(none, err)
	}
	full := &Logging{DefaultLevel: LogInfo}
	for i := range maxLogTargets {
		full.Targets = append(full.Targets, LogTarget{LogClientID, fmt.Sprintf("c%04d", i), LogInfo})
	}
	must(t, documents.Commit(r.cfg.Store, documents.Put(metaBucket, loggingKey, full, store.Condition{})))
	wantKind(t, r.SetLogLevel(ctx, LogTarget{LogClientID, "one-more", LogInfo}), fault.Throttled, ErrLimitExceeded)
	must(t, r.SetLogLevel(ctx, LogTarget{LogClientID, "c0500", LogWarn}))
}
