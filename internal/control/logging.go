package control

import (
	"context"
	"maps"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

type logEvent struct {
	EventType      string            `json:"eventType"`
	LogLevel       registry.LogLevel `json:"logLevel,omitempty"`
	LogDestination string            `json:"logDestination,omitempty"`
}

func setV2LoggingOptions(c *call) (any, error) {
	var in struct {
		RoleArn             string            `json:"roleArn"`
		DefaultLogLevel     registry.LogLevel `json:"defaultLogLevel"`
		DisableAllLogs      bool              `json:"disableAllLogs"`
		EventConfigurations []logEvent        `json:"eventConfigurations"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	u := registry.LoggingUpdate{RoleARN: in.RoleArn, DefaultLevel: in.DefaultLogLevel, DisableAll: in.DisableAllLogs}
	if in.EventConfigurations != nil {
		u.Events = []registry.LogEvent{}
	}
	for _, e := range in.EventConfigurations {
		u.Events = append(u.Events, registry.LogEvent{Type: e.EventType, Level: e.LogLevel, Destination: e.LogDestination})
	}
	return nil, c.registry().SetLogging(c.Context(), u)
}

// getV2LoggingOptions shows what is set for event types; verbose, the level of each one there is.
func getV2LoggingOptions(c *call) (any, error) {
	verbose, err := c.boolean("verbose")
	if err != nil {
		return nil, err
	}
	l, err := c.registry().GetLogging(c.Context())
	if err != nil {
		return nil, err
	}
	events := maps.Clone(l.Events)
	if verbose {
		events = c.registry().LogEventLevels(l)
	}
	shown := []logEvent{}
	for _, name := range slices.Sorted(maps.Keys(events)) {
		shown = append(shown, logEvent{EventType: name, LogLevel: events[name]})
	}
	return struct {
		RoleArn             string            `json:"roleArn,omitempty"`
		DefaultLogLevel     registry.LogLevel `json:"defaultLogLevel"`
		DisableAllLogs      bool              `json:"disableAllLogs"`
		EventConfigurations []logEvent        `json:"eventConfigurations"`
	}{l.RoleARN, l.DefaultLevel, l.DisableAll, shown}, nil
}

type logTarget struct {
	TargetType registry.LogTargetType `json:"targetType"`
	TargetName string                 `json:"targetName,omitempty"`
}

func setV2LoggingLevel(c *call) (any, error) {
	var in struct {
		LogTarget logTarget         `json:"logTarget"`
		LogLevel  registry.LogLevel `json:"logLevel"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.registry().SetLogLevel(c.Context(), registry.LogTarget{
		Type: in.LogTarget.TargetType, Name: in.LogTarget.TargetName, Level: in.LogLevel,
	})
}

func deleteV2LoggingLevel(c *call) (any, error) {
	return nil, c.registry().DeleteLogLevel(c.Context(), registry.LogTarget{
		Type: registry.LogTargetType(c.query.Get("targetType")), Name: c.query.Get("targetName"),
	})
}

type logTargetConfiguration struct {
	LogTarget logTarget         `json:"logTarget"`
	LogLevel  registry.LogLevel `json:"logLevel"`
}

func listV2LoggingLevels(c *call) (any, error) {
	of := registry.LogTargetType(c.query.Get("targetType"))
	return list(c, byToken, "logTargetConfigurations",
		func(ctx context.Context, p registry.Page) ([]registry.LogTarget, string, error) {
			return c.registry().ListLogLevels(ctx, of, p)
		}, func(t *registry.LogTarget) logTargetConfiguration {
			return logTargetConfiguration{logTarget{t.Type, t.Name}, t.Level}
		})
}

// loggingOptions is the older pair of operations. Here both speak of the same options.
type loggingOptions struct {
	RoleArn  string            `json:"roleArn,omitempty"`
	LogLevel registry.LogLevel `json:"logLevel,omitempty"`
}

func setLoggingOptions(c *call) (any, error) {
	var in loggingOptions
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.RoleArn == "" {
		return nil, fault.New(fault.Invalid, "the roleArn is missing")
	}
	return nil, c.registry().SetLogging(c.Context(), registry.LoggingUpdate{RoleARN: in.RoleArn, DefaultLevel: in.LogLevel})
}

// getLoggingOptions has no NotConfiguredException: before the options are set its members are absent.
func getLoggingOptions(c *call) (any, error) {
	l, err := c.registry().GetLogging(c.Context())
	if fault.Is(err, fault.NotFound) {
		return loggingOptions{}, nil
	}
	if err != nil {
		return nil, err
	}
	if l.DisableAll {
		return loggingOptions{l.RoleARN, registry.LogDisabled}, nil
	}
	return loggingOptions{l.RoleARN, l.DefaultLevel}, nil
}
