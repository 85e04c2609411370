package main

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

// sigfoxList reads a list. As JSON it is printed here, and nothing is left to show.
func sigfoxList[T any](cmd *cobra.Command, w *world, at *reach, output, name, path string, query url.Values) ([]T, error) {
	asJSON, err := wantsJSON(output)
	if err != nil {
		return nil, err
	}
	client, err := w.client(at)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	all, err := server.SigfoxList[T](cmd.Context(), client, path, query)
	if err != nil || !asJSON {
		return all, err
	}
	return nil, w.printJSON(map[string]any{name: append([]T{}, all...)})
}
