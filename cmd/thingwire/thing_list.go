package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newThingList(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the things",
		Example: `  thingwire thing list
  thingwire thing list --output json`,
		Args: none,
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return w.ask(at, *output, func(client *server.Client, asJSON bool) error {
			return thingList(cmd.Context(), w, client, asJSON)
		})
	}
	return cmd
}

func thingList(ctx context.Context, w *world, client *server.Client, asJSON bool) error {
	things, err := client.Things(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return w.printJSON(map[string]any{"things": append([]server.Thing{}, things...)})
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, t := range things {
		attributes := make([]string, 0, len(t.Attributes))
		for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
			attributes = append(attributes, name+"="+t.Attributes[name])
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", t.Name, t.Type, strings.Join(attributes, " "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		w.printf("%s\n", strings.TrimRight(line, " \n"))
	}
	return nil
}
