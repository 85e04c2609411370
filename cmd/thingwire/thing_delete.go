package main

import (
	"github.com/spf13/cobra"
)

func newThingDelete(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a thing with its certificates and its policy",
		Long: `Deletes a thing, the certificates that belong to it alone, and the policy that "thing create" made for it. A device
that is connected with such a certificate is disconnected. What other things use stays.`,
		Example: `  thingwire thing delete lamp`,
		Args:    exactly("NAME"),
	}
	at := reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.Remove(cmd.Context(), args[0]); err != nil {
			return err
		}
		w.printf("Thing %s is deleted.\n", args[0])
		return nil
	}
	return cmd
}
