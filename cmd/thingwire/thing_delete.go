package main

import (
	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
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
	dataDir := dataDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := w.dataDir(*dataDir)
		if err != nil {
			return asUsage(err)
		}
		admin := server.NewAdmin(dir)
		defer admin.Close()
		if err := admin.Remove(cmd.Context(), args[0]); err != nil {
			return err
		}
		w.printf("Thing %s is deleted.\n", args[0])
		return nil
	}
	return cmd
}
