package server

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/thingwire/thingwire/internal/fault"
)

// LoadFile reads a configuration file onto cfg: what the file does not name stays. It is strict: a key that is not
// known, or that stands twice, is an error that names it and its line. It does not Validate, since flags come after.
func LoadFile(path string, cfg *Config) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "the configuration file cannot be read").WithRemedy("check --config")
	}
	return parseConfig(path, data, cfg)
}

// place is a node and the file it stands in, for errors.
type place struct {
	file string
	node *yaml.Node
}

func (p place) errorf(format string, args ...any) error {
	e := fault.New(fault.Invalid, format, args...)
	return fault.New(fault.Invalid, "%s:%d: %s", p.file, p.node.Line, e.Cause)
}

// keys are what a mapping may hold: each key with what to do with its value.
type keys map[string]func(value place) error

func parseConfig(file string, data []byte, cfg *Config) error {
	var doc yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(data))
	if err := in.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file changes nothing
		}
		return syntaxError(file, err)
	}
	if err := in.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "%s: there is a second document behind the first", file).WithRemedy("remove what follows ---")
	}
	root := place{file, doc.Content[0]}
	if isNull(root.node) {
		return nil
	}
	return root.mapping("the file", configKeys(cfg))
}

// configKeys is the file's grammar.
func configKeys(cfg *Config) keys {
	listen := keys{"mqtt_anywhere": boolean("listen.mqtt_anywhere", &cfg.Listen.MQTTAnywhere)}
	for _, row := range cfg.Listen.all() {
		listen[row.name] = text("listen."+row.name, row.addr)
	}
	queue := keys{
		"messages": number("queue.messages", &cfg.Queue.Messages),
		"bytes":    number("queue.bytes", &cfg.Queue.Bytes),
		"age":      duration("queue.age", &cfg.Queue.Age),
	}
	return keys{
		"data_dir": text("data_dir", &cfg.DataDir),
		"account":  text("account", &cfg.Account),
		"region":   text("region", &cfg.Region),

		"sigfox_aws_account":  text("sigfox_aws_account", &cfg.SigfoxAccount),
		"sigfox_aws_endpoint": text("sigfox_aws_endpoint", &cfg.Sigfox.Endpoint),
		"sigfox_allow":        list("sigfox_allow", &cfg.Sigfox.Allow),
		"sigfox_private":      boolean("sigfox_private", &cfg.Sigfox.Private),
		"sigfox_speed":        factor("sigfox_speed", &cfg.Sigfox.Speed),
		"sigfox_messages":     number("sigfox_messages", &cfg.Sigfox.Messages),

		"limits":     text("limits", &cfg.Limits),
		"durability": text("durability", &cfg.Durability),
		"queue_full": text("queue_full", &cfg.QueueFull),
		"queue":      func(value place) error { return value.mapping("queue", queue) },
		"hostnames":  list("hostnames", &cfg.Hostnames),
		"listen":     func(value place) error { return value.mapping("listen", listen) },
	}
}

func (p place) mapping(name string, known keys) error {
	if p.node.Kind != yaml.MappingNode {
		return p.errorf("%s must hold keys and values, one per line", name)
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		key, value := place{p.file, p.node.Content[i]}, place{p.file, p.node.Content[i+1]}
		read, ok := known[key.node.Value]
		if !ok || key.node.Kind != yaml.ScalarNode {
			return key.errorf("unknown key %q in %s; known are %s", key.node.Value, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if first, twice := lines[key.node.Value]; twice {
			return key.errorf("key %q stands a second time; the first is in line %d", key.node.Value, first)
		}
		lines[key.node.Value] = key.node.Line
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

// text reads a scalar as it stands in the file, so that an account keeps its zeros and off stays a word.
func text(name string, to *string) func(place) error {
	return func(value place) error {
		if value.node.Kind != yaml.ScalarNode || isNull(value.node) {
			return value.errorf("%s must have one value", name)
		}
		*to = value.node.Value
		return nil
	}
}

func boolean(name string, to *bool) func(place) error {
	return func(value place) error {
		if value.node.Kind != yaml.ScalarNode || value.node.Decode(to) != nil {
			return value.errorf("%s must be true or false", name)
		}
		return nil
	}
}

// number reads a positive whole number.
func number(name string, to *int64) func(place) error {
	return func(value place) error {
		n, err := strconv.ParseInt(value.node.Value, 10, 64)
		if value.node.Kind != yaml.ScalarNode || err != nil || n < 1 {
			return value.errorf("%s must be a whole number from 1 on", name)
		}
		*to = n
		return nil
	}
}

// factor reads a positive number.
func factor(name string, to *float64) func(place) error {
	return func(value place) error {
		x, err := strconv.ParseFloat(value.node.Value, 64)
		if value.node.Kind != yaml.ScalarNode || err != nil || !(x > 0) {
			return value.errorf("%s must be a number greater than 0", name)
		}
		*to = x
		return nil
	}
}

func duration(name string, to *time.Duration) func(place) error {
	return func(value place) error {
		d, err := time.ParseDuration(value.node.Value)
		if value.node.Kind != yaml.ScalarNode || err != nil || d <= 0 {
			return value.errorf("%s must be a time, as in 36h or 90m", name)
		}
		*to = d
		return nil
	}
}

func list(name string, to *[]string) func(place) error {
	return func(value place) error {
		if value.node.Kind != yaml.SequenceNode {
			return value.errorf("%s must be a list, as in [a, b]", name)
		}
		*to = make([]string, len(value.node.Content))
		for i, item := range value.node.Content {
			if err := text("each of "+name, &(*to)[i])(place{value.file, item}); err != nil {
				return err
			}
		}
		return nil
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): `)

// syntaxError puts the line of the YAML package's message where ours stands.
func syntaxError(file string, err error) error {
	words := err.Error()
	if m := yamlLine.FindStringSubmatch(words); m != nil {
		return fault.New(fault.Invalid, "%s:%s: not YAML: %s", file, m[1], strings.TrimPrefix(words, m[0]))
	}
	return fault.New(fault.Invalid, "%s: not YAML: %s", file, strings.TrimPrefix(words, "yaml: "))
}
