package main

import "github.com/spf13/cobra"

func newSigfox(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sigfox",
		Short: "The Sigfox side: payloads, the stack of AWS IoT callbacks, and a modem without a radio",
		Args:  cobra.ArbitraryArgs, // needVerb has better words for them
		RunE:  needVerb,
	}
	cmd.AddCommand(newSigfoxDecode(w), newSigfoxModem(w), newSigfoxStack(w))
	return cmd
}
