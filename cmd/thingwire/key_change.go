package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

// keyChange changes an access key; an empty user is whoever has it.
type keyChange func(ctx context.Context, client *server.Client, user, id string) error

func setKey(active bool) keyChange {
	return func(ctx context.Context, client *server.Client, user, id string) error {
		return client.SetKeyStatus(ctx, user, id, active)
	}
}

func deleteKey(ctx context.Context, client *server.Client, user, id string) error {
	return client.DeleteKey(ctx, user, id)
}

// newKeyChange is a verb that does something to one key.
func newKeyChange(w *world, verb, short, done string, change keyChange) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     verb + " ACCESS_KEY_ID",
		Short:   short,
		Example: "  thingwire key " + verb + " AKIAIOSFODNN7EXAMPLE",
		Args:    exactly("ACCESS_KEY_ID"),
	}
	at := reachFlags(cmd)
	userFlag(cmd, &user, "", "whose key it is; only needed by who may not list users")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := change(cmd.Context(), client, user, args[0]); err != nil {
			return err
		}
		w.printf("Access key %s is %s.\n", args[0], done)
		return nil
	}
	return cmd
}
