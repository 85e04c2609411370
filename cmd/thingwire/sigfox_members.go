package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

// member is a flag that sets a member of a request where it is given.
type member struct {
	flag, name, help string
	value            func(text string) (any, error) // nil takes the text
}

func memberFlags(cmd *cobra.Command, members []member) {
	for _, m := range members {
		cmd.Flags().String(m.flag, "", m.help)
	}
}

// given are the members whose flags were given.
func given(cmd *cobra.Command, members []member) (map[string]any, error) {
	all := map[string]any{}
	for _, m := range members {
		f := cmd.Flags().Lookup(m.flag)
		if !f.Changed {
			continue
		}
		if m.value == nil {
			all[m.name] = f.Value.String()
			continue
		}
		v, err := m.value(f.Value.String())
		if err != nil {
			return nil, usage("--%s is %q; %s", m.flag, f.Value.String(), err)
		}
		all[m.name] = v
	}
	return all, nil
}

// oneOf takes words for numbers.
func oneOf(words ...string) func(string) (any, error) {
	return func(text string) (any, error) {
		for i, word := range words {
			if strings.EqualFold(text, word) {
				return i, nil
			}
		}
		return nil, usage("use %s", strings.ToLower(strings.Join(words, ", ")))
	}
}

func wholeNumber(text string) (any, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, usage("use a whole number")
	}
	return n, nil
}

func realNumber(text string) (any, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, usage("use a number")
	}
	return x, nil
}

func yesOrNo(text string) (any, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return nil, usage("use true or false")
	}
	return b, nil
}

// inSeconds takes durations for seconds.
func inSeconds(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return nil, usage("use a duration like 90m")
	}
	return int(d / time.Second), nil
}

// fromFile takes @FILE for what a file holds, and other text as it is.
func fromFile(text string) (any, error) {
	name, ok := strings.CutPrefix(text, "@")
	if !ok {
		return text, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the file cannot be read")
	}
	return string(data), nil
}

// sigfoxVerb is a verb that makes one call and shows its answer.
type sigfoxVerb[T any] struct {
	use, short, long, example string
	args                      []string // their names
	members                   []member
	flags                     func(cmd *cobra.Command)
	call                      func(cmd *cobra.Command, args []string, body map[string]any) server.Call
	show                      func(w *world, answer *T, args []string)
}

func (v *sigfoxVerb[T]) command(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: v.use, Short: v.short, Long: v.long, Example: v.example, Args: exactly(v.args...)}
	at, output := reachFlags(cmd), outputFlag(cmd)
	memberFlags(cmd, v.members)
	if v.flags != nil {
		v.flags(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		body, err := given(cmd, v.members)
		if err != nil {
			return err
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		call := v.call(cmd, args, body)
		var answer T
		call.Out = &answer
		if err := client.Do(cmd.Context(), call); err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(&answer)
		}
		v.show(w, &answer, args)
		return nil
	}
	return cmd
}

// deletion is a verb that deletes what a path names.
func deletion(w *world, use, short, what string, path func(args []string) string, args ...string) *cobra.Command {
	v := sigfoxVerb[struct{}]{
		use: use, short: short, args: args,
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodDelete, Path: path(args)}
		},
		show: func(w *world, _ *struct{}, args []string) {
			w.printf("%s %s is deleted.\n", what, plainText(args[len(args)-1]))
		},
	}
	return v.command(w)
}

// group is a command that only holds others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: needVerb} // needVerb has better words for arguments
	cmd.AddCommand(verbs...)
	return cmd
}

// columns prints rows as a table.
func (w *world) columns(rows [][]string) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = table.Write([]byte(strings.Join(row, "\t") + "\n"))
	}
	_ = table.Flush() // a strings.Builder takes all
	for line := range strings.Lines(text.String()) {
		w.printf("%s\n", strings.TrimRight(line, " \n"))
	}
}

// pairs prints names and values, and leaves out what is empty.
func (w *world) pairs(names ...string) {
	var rows [][]string
	for i := 0; i+1 < len(names); i += 2 {
		if names[i+1] != "" {
			rows = append(rows, []string{names[i], plainText(names[i+1])})
		}
	}
	w.columns(rows)
}

// block prints a text of several lines below its name, and nothing where there is none.
func (w *world) block(name, text string) {
	if text == "" {
		return
	}
	w.printf("%s\n", name)
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		w.printf("    %s\n", plainText(line))
	}
}

func (w *world) hints(hints []string) {
	for _, h := range hints {
		w.printf("hint: %s\n", plainText(h))
	}
}

// momentIf is moment, or nothing.
func momentIf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(t)
}
