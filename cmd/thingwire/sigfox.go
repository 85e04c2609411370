package main

import "github.com/spf13/cobra"

func newSigfox(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sigfox",
		Short: "The Sigfox side: device types, devices, callbacks, the stack of AWS IoT callbacks, messages, and a modem without a radio",
		Args:  cobra.ArbitraryArgs, // needVerb has better words for them
		RunE:  needVerb,
	}
	cmd.AddCommand(newSigfoxDeviceType(w), newSigfoxDevice(w), newSigfoxCallback(w), newSigfoxUplink(w), newSigfoxDownlink(w),
		newSigfoxMessages(w), newSigfoxDecode(w), newSigfoxModem(w), newSigfoxReceiver(w), newSigfoxStack(w))
	return cmd
}
