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
	dataDir, output := dataDirFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		dir, err := w.dataDir(*dataDir)
		if err != nil {
			return asUsage(err)
		}
		return thingList(cmd.Context(), w, dir, asJSON)
	}
	return cmd
}

func thingList(ctx context.Context, w *world, dir string, asJSON bool) error {
	admin := server.NewAdmin(dir)
	defer admin.Close()
	things, err := admin.Things(ctx)
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
