package main

import (
	"github.com/spf13/cobra"
)

func newThing(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "thing",
		Short: "Make, list and delete things",
		Args:  cobra.ArbitraryArgs, // needVerb has better words for them
		RunE:  needVerb,
	}
	cmd.AddCommand(newThingCreate(w), newThingList(w), newThingDelete(w))
	return cmd
}
