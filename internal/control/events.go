package control

import (
	"time"

	"github.com/thingwire/thingwire/internal/registry"
)

// eventConfiguration has its capital letter from AWS.
type eventConfiguration struct {
	Enabled bool `json:"Enabled"`
}

func describeEventConfigurations(c *call) (any, error) {
	events, err := c.registry().DescribeEventConfigurations(c.Context())
	if err != nil {
		return nil, err
	}
	all := map[registry.EventType]eventConfiguration{}
	for _, t := range registry.EventTypes() {
		all[t] = eventConfiguration{events.Enabled[t]}
	}
	return struct {
		EventConfigurations map[registry.EventType]eventConfiguration `json:"eventConfigurations"`
		CreationDate        *epoch                                    `json:"creationDate,omitempty"`
		LastModifiedDate    *epoch                                    `json:"lastModifiedDate,omitempty"`
	}{all, orAbsent(events.Created), orAbsent(events.Modified)}, nil
}

func updateEventConfigurations(c *call) (any, error) {
	var in struct {
		EventConfigurations map[registry.EventType]eventConfiguration `json:"eventConfigurations"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	changes := map[registry.EventType]bool{}
	for t, configuration := range in.EventConfigurations {
		changes[t] = configuration.Enabled
	}
	return nil, c.registry().UpdateEventConfigurations(c.Context(), changes)
}

// orAbsent leaves a time out that never was.
func orAbsent(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}
	e := epoch(t)
	return &e
}
