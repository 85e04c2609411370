package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// LogLevel says how much is logged: each level includes those behind it.
type LogLevel string

// The levels, as AWS names them.
const (
	LogDebug    LogLevel = "DEBUG"
	LogInfo     LogLevel = "INFO"
	LogWarn     LogLevel = "WARN"
	LogError    LogLevel = "ERROR"
	LogDisabled LogLevel = "DISABLED"
)

// usualLevel is the default level of options that name none: what is logged without options.
const usualLevel = LogInfo

const loggingKey = "logging"

// Logging are the options of the logs, and the levels of single targets.
type Logging struct {
	RoleARN      string              `json:"roleArn,omitempty"` // kept for whoever asks: nothing here takes a role
	DefaultLevel LogLevel            `json:"defaultLevel"`
	DisableAll   bool                `json:"disableAll,omitempty"`
	Events       map[string]LogLevel `json:"events,omitempty"`  // by event type
	Targets      []LogTarget         `json:"targets,omitempty"` // in the order of type and name
}

// LogEvent is the level of the entries of one type.
type LogEvent struct {
	Type        string
	Level       LogLevel // DefaultLevel when empty
	Destination string   // a log group of CloudWatch: refused
}

// LoggingUpdate changes the options.
type LoggingUpdate struct {
	RoleARN      string     // empty leaves it alone
	DefaultLevel LogLevel   // empty leaves it alone
	DisableAll   bool       // as it is given: absent is false
	Events       []LogEvent // takes the place of all there are; nil leaves them alone
}

// GetLogging gives the options; fault.NotFound with ErrNotConfigured before the first SetLogging.
func (r *Registry) GetLogging(ctx context.Context) (*Logging, error) {
	l, _, err := r.loadLogging(ctx)
	return l, err
}

// SetLogging sets the options. The levels of targets stay.
func (r *Registry) SetLogging(ctx context.Context, u LoggingUpdate) error {
	if err := r.checkLogging(u); err != nil {
		return err
	}
	return r.retry(func() error {
		l, rev, err := r.loadLogging(ctx)
		when := documents.AtRev(rev)
		if fault.Is(err, fault.NotFound) {
			l, when, err = &Logging{DefaultLevel: usualLevel}, documents.Absent, nil
		}
		if err != nil {
			return err
		}
		u.apply(l)
		return r.commit(documents.Put(metaBucket, loggingKey, l, when))
	})
}

// LogEventLevels gives the level of each event type that there can be: its own, or the default.
func (r *Registry) LogEventLevels(l *Logging) map[string]LogLevel {
	levels := map[string]LogLevel{}
	for _, t := range r.cfg.LogEventTypes {
		levels[t] = cmp.Or(l.Events[t], l.DefaultLevel)
	}
	return levels
}

func (u *LoggingUpdate) apply(l *Logging) {
	if u.RoleARN != "" {
		l.RoleARN = u.RoleARN
	}
	if u.DefaultLevel != "" {
		l.DefaultLevel = u.DefaultLevel
	}
	l.DisableAll = u.DisableAll
	if u.Events == nil {
		return
	}
	l.Events = map[string]LogLevel{}
	for _, e := range u.Events {
		l.Events[e.Type] = e.Level
		if e.Level == "" {
			l.Events[e.Type] = l.DefaultLevel
		}
	}
}

func (r *Registry) checkLogging(u LoggingUpdate) error {
	if u.RoleARN != "" && !strings.HasPrefix(u.RoleARN, "arn:") {
		return fault.New(fault.Invalid, "the roleArn %s is not an ARN", fault.Quoted(u.RoleARN))
	}
	if u.DefaultLevel != "" {
		if err := checkLogLevel(u.DefaultLevel); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, e := range u.Events {
		if err := r.checkLogEvent(e); err != nil {
			return err
		}
		if seen[e.Type] {
			return fault.New(fault.Invalid, "the event type %s is given twice", e.Type)
		}
		seen[e.Type] = true
	}
	return nil
}

func (r *Registry) checkLogEvent(e LogEvent) error {
	if !slices.Contains(r.cfg.LogEventTypes, e.Type) {
		return fault.New(fault.Invalid, "there are no log entries of type %s here", fault.Quoted(e.Type)).
			WithRemedy("use one of %s", oneOf(r.cfg.LogEventTypes))
	}
	if e.Destination != "" {
		return fault.New(fault.Unsupported, "log destinations are not implemented by Thingwire: there is one journal").
			WithRemedy("leave logDestination out; see docs/compatibility.md")
	}
	if e.Level == "" {
		return nil
	}
	return checkLogLevel(e.Level)
}

func checkLogLevel(l LogLevel) error {
	switch l {
	case LogDebug, LogInfo, LogWarn, LogError, LogDisabled:
		return nil
	}
	return fault.New(fault.Invalid, "%s is not a log level", fault.Quoted(string(l))).WithRemedy("use DEBUG, INFO, WARN, ERROR or DISABLED")
}

func (r *Registry) loadLogging(ctx context.Context) (*Logging, uint64, error) {
	l, rev, err := documents.Load[Logging](ctx, r.cfg.Store, metaBucket, loggingKey)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, refuse(fault.NotFound, ErrNotConfigured, "there are no logging options").
			WithRemedy("set them first: aws iot set-v2-logging-options")
	}
	return l, rev, err
}

// changeLogging rewrites options that are there; change reports whether it changed them.
func (r *Registry) changeLogging(ctx context.Context, change func(l *Logging) (bool, error)) error {
	return r.retry(func() error {
		l, rev, err := r.loadLogging(ctx)
		if err != nil {
			return err
		}
		changed, err := change(l)
		if !changed || err != nil {
			return err
		}
		return r.commit(documents.Put(metaBucket, loggingKey, l, documents.AtRev(rev)))
	})
}
