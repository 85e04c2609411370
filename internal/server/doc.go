// Package server is the assembly: configuration, the data directory, and the one place where the rooms are opened in
// order, handed to each other, and closed in reverse.
//
// A Server holds the lock of its data directory from New to Close. Start opens the listeners and the admin socket and
// writes endpoints.json last; Close removes it first. The verbs of the command line reach a running server through
// Admin, a client of the admin socket whose authority is the permission to open that file.
//
// It may import every room and is imported by cmd/thingwire and thingwiretest alone. It prints nothing.
package server
