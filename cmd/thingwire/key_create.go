package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newKeyCreate(w *world) *cobra.Command {
	var user, policy string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an access key, and its user if there is none",
		Long: `Makes an access key for a user; a user that is not there is made, too. The secret is printed here and never again.

The policy is a file with an AWS IAM policy document that is put to the user, or the built-in one:
  allow-everything  the user may do everything
Without --policy a user keeps the policies that it has; a new one has none and may do nothing.`,
		Example: `  thingwire key create
  thingwire key create --user ci --policy allow-everything
  thingwire key create --user dashboard --policy dashboard.json --output json`,
		Args: none,
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	userFlag(cmd, &user, server.FirstUser, "whose key it is")
	cmd.Flags().StringVar(&policy, "policy", "", "IAM policy document, a file or allow-everything")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		document, err := keyPolicyOf(policy)
		if err != nil {
			return err
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		return keyCreate(cmd.Context(), w, client, user, document, asJSON)
	}
	return cmd
}

// keyPolicyOf finds out what --policy means.
func keyPolicyOf(policy string) (document string, err error) {
	switch policy {
	case "":
		return "", nil
	case server.PolicyAllowEverything:
		return server.EverythingPolicy, nil
	}
	data, err := os.ReadFile(policy)
	if err != nil {
		return "", fault.Wrap(fault.NotFound, err, "--policy is neither %s nor a file that can be read", server.PolicyAllowEverything)
	}
	return string(data), nil
}

func keyCreate(ctx context.Context, w *world, client *server.Client, user, document string, asJSON bool) error {
	made, err := client.CreateKey(ctx, user, document)
	if err != nil {
		return err
	}
	if asJSON {
		return w.printJSON(made)
	}
	w.printf("Access key of user %s:\n  AWS_ACCESS_KEY_ID=%s\n  AWS_SECRET_ACCESS_KEY=%s\n", made.User, made.ID, made.Secret)
	w.printf("Keep the secret: it is not shown again.\n")
	if made.Policies == 0 {
		w.printf("The user has no policy and may do nothing yet. Give one with --policy, or with: aws iam put-user-policy\n")
	}
	return nil
}
