package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newKeyList(w *world) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the access keys, without their secrets",
		Example: `  thingwire key list
  thingwire key list --user ci --output json`,
		Args: none,
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	userFlag(cmd, &user, "", "only keys of this user (default all users)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return w.ask(at, *output, func(client *server.Client, asJSON bool) error {
			keys, err := client.Keys(cmd.Context(), user)
			if err != nil {
				return err
			}
			if asJSON {
				return w.printJSON(map[string]any{"accessKeys": append([]server.AccessKey{}, keys...)})
			}
			return w.printKeys(keys)
		})
	}
	return cmd
}

func (w *world) printKeys(keys []server.AccessKey) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, k := range keys {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.ID, k.User, strings.ToLower(k.Status), moment(k.Created))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	w.printf("%s", text.String())
	return nil
}
