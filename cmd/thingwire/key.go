package main

import (
	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newKey(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list, disable and delete access keys for AWS tools",
		Long: `Access keys sign requests of the AWS CLI, SDKs and of thingwire on other machines. A key belongs to a user, and its user's
IAM policies decide what it may do. The first start of a server makes one whose user "` + server.FirstUser + `" may do everything.`,
		Args: cobra.ArbitraryArgs, // needVerb has better words for them
		RunE: needVerb,
	}
	cmd.AddCommand(newKeyCreate(w), newKeyList(w),
		newKeyChange(w, "disable", "Disable an access key: it signs nothing until it is enabled", "disabled", setKey(false)),
		newKeyChange(w, "enable", "Enable an access key again", "enabled", setKey(true)),
		newKeyChange(w, "delete", "Delete an access key for good", "deleted", deleteKey))
	return cmd
}

func userFlag(cmd *cobra.Command, user *string, usually, help string) {
	cmd.Flags().StringVar(user, "user", usually, help)
}
