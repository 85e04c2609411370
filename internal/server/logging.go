package server

import (
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/registry"
)

// obeyLogging makes the journal obey the logging options.
func (r *rooms) obeyLogging(l *registry.Logging) { r.journal.Obey(levelsOf(l)) }

func levelsOf(l *registry.Logging) *journal.Levels {
	levels := &journal.Levels{
		Off: l.DisableAll, Default: string(l.DefaultLevel), Events: map[string]string{},
		Clients: map[string]string{}, Addresses: map[string]string{}, Principals: map[string]string{},
	}
	for event, level := range l.Events {
		levels.Events[event] = string(level)
	}
	byType := map[registry.LogTargetType]map[string]string{
		registry.LogClientID: levels.Clients, registry.LogSourceIP: levels.Addresses, registry.LogPrincipalID: levels.Principals,
	}
	for _, t := range l.Targets {
		if of := byType[t.Type]; of != nil {
			of[t.Name] = string(t.Level)
		}
	}
	return levels
}
