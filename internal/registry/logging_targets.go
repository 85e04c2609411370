package registry

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// Bounds of log targets. They are ours: AWS documents none but that of the name in CloudFormation.
const (
	maxLogTargets    = 1000
	maxLogTargetName = 128
)

// LogTargetType says what a log target names.
type LogTargetType string

// The types, as AWS names them.
const (
	LogDefault     LogTargetType = "DEFAULT"
	LogThingGroup  LogTargetType = "THING_GROUP" // refused: a log entry does not know groups
	LogClientID    LogTargetType = "CLIENT_ID"
	LogSourceIP    LogTargetType = "SOURCE_IP"
	LogPrincipalID LogTargetType = "PRINCIPAL_ID"
)

// LogTarget is the level of what one client, address or principal does.
type LogTarget struct {
	Type  LogTargetType `json:"type"`
	Name  string        `json:"name"` // empty of DEFAULT
	Level LogLevel      `json:"level"`
}

func (t LogTarget) compare(o LogTarget) int {
	return cmp.Or(cmp.Compare(t.Type, o.Type), cmp.Compare(t.Name, o.Name))
}

// key orders targets in lists.
func (t LogTarget) key() string { return string(t.Type) + "/" + t.Name }

// SetLogLevel sets the level of a target; of DEFAULT, the default level of the options, which must be there.
func (r *Registry) SetLogLevel(ctx context.Context, t LogTarget) error {
	if err := checkLogLevel(t.Level); err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return err
	}
	return r.changeLogging(ctx, func(l *Logging) (bool, error) {
		if t.Type == LogDefault {
			l.DefaultLevel = t.Level
			return true, nil
		}
		i, there := slices.BinarySearchFunc(l.Targets, t, LogTarget.compare)
		if there {
			l.Targets[i] = t
			return true, nil
		}
		if len(l.Targets) >= maxLogTargets {
			return false, refuse(fault.Throttled, ErrLimitExceeded, "%d log targets have levels already", len(l.Targets)).
				WithRemedy("delete some: aws iot list-v2-logging-levels, delete-v2-logging-level")
		}
		l.Targets = slices.Insert(l.Targets, i, t)
		return true, nil
	})
}

// DeleteLogLevel ends the level of a target; one that has none is no error.
func (r *Registry) DeleteLogLevel(ctx context.Context, t LogTarget) error {
	if t.Type == LogDefault {
		return fault.New(fault.Invalid, "the default log level cannot be deleted").
			WithRemedy("set another one: aws iot set-v2-logging-options --default-log-level")
	}
	if err := t.check(); err != nil {
		return err
	}
	err := r.changeLogging(ctx, func(l *Logging) (bool, error) {
		i, there := slices.BinarySearchFunc(l.Targets, t, LogTarget.compare)
		if there {
			l.Targets = slices.Delete(l.Targets, i, i+1)
		}
		return there, nil
	})
	if fault.Is(err, fault.NotFound) {
		return nil // without options no target has a level
	}
	return err
}

// ListLogLevels gives the levels of targets, DEFAULT among them, of one type if that is not empty.
func (r *Registry) ListLogLevels(ctx context.Context, of LogTargetType, p Page) (targets []LogTarget, next string, err error) {
	if of != "" && !slices.Contains(logTargetTypes, of) {
		return nil, "", of.unknown()
	}
	l, _, err := r.loadLogging(ctx)
	if err != nil {
		return nil, "", err
	}
	all := append([]LogTarget{{Type: LogDefault, Level: l.DefaultLevel}}, l.Targets...)
	slices.SortFunc(all, func(a, b LogTarget) int { return cmp.Compare(a.key(), b.key()) })
	for _, t := range all {
		if of != "" && t.Type != of || t.key() <= p.After {
			continue
		}
		if p.Limit > 0 && len(targets) == p.Limit {
			return targets, targets[len(targets)-1].key(), nil
		}
		targets = append(targets, t)
	}
	return targets, "", nil
}

var logTargetTypes = []LogTargetType{LogDefault, LogThingGroup, LogClientID, LogSourceIP, LogPrincipalID}

func (t LogTargetType) unknown() error {
	return fault.New(fault.Invalid, "%s is not a type of log targets", fault.Quoted(string(t))).WithRemedy("use one of %s", oneOf(logTargetTypes))
}

// check refuses what no entry could match. An address takes the form that entries have.
func (t *LogTarget) check() error {
	switch t.Type {
	case LogDefault:
		if t.Name != "" {
			return fault.New(fault.Invalid, "the log target DEFAULT has no name")
		}
		return nil
	case LogThingGroup:
		return fault.New(fault.Unsupported, "log levels of thing groups are not implemented by Thingwire").
			WithRemedy("use CLIENT_ID or PRINCIPAL_ID; see docs/compatibility.md")
	case LogClientID, LogSourceIP, LogPrincipalID:
	default:
		return t.Type.unknown()
	}
	if n := utf8.RuneCountInString(t.Name); n < 1 || n > maxLogTargetName || !utf8.ValidString(t.Name) {
		return fault.New(fault.Invalid, "the name of the log target has %d characters, 1 to %d are allowed", n, maxLogTargetName)
	}
	if t.Type == LogSourceIP {
		ip, err := netip.ParseAddr(t.Name)
		if err != nil {
			return fault.New(fault.Invalid, "the log target %s is not an IP address", fault.Quoted(t.Name))
		}
		t.Name = ip.Unmap().String()
	}
	return nil
}
