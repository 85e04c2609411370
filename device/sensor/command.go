package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// command runs a shell command for each reading.
type command struct{ line string }

func openCommand(line string) (Sensor, error) {
	if strings.TrimSpace(line) == "" {
		return nil, errors.New(`sensor "exec:": give the command, as in exec:'cat /run/temperature'`)
	}
	return &command{line: line}, nil
}

func (c *command) Read(ctx context.Context) (float64, error) {
	run := exec.CommandContext(ctx, "/bin/sh", "-c", c.line) //nolint:gosec // G204: running the user's own command is the feature
	run.WaitDelay = time.Second                              // a grandchild that keeps the pipe open does not hold us for ever
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		if words := strings.TrimSpace(stderr.String()); words != "" {
			return 0, fmt.Errorf("command %q: %w: %s", c.line, err, words)
		}
		return 0, fmt.Errorf("command %q: %w", c.line, err)
	}
	v, err := parseNumber(string(out))
	if err != nil {
		return 0, fmt.Errorf("command %q: %w", c.line, err)
	}
	return v, nil
}

func (c *command) String() string { return "exec:" + c.line }

func (c *command) Close() error { return nil }
