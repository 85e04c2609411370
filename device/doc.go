// Package device is for programs on devices, in Go. So far it opens the connections on which MQTT is spoken: TLS with a
// certificate of the device, or a WebSocket whose address is signed, each also through an HTTP proxy. What a Dialer
// gives is a net.Conn for any MQTT client.
//
// It works with AWS IoT Core and with Thingwire, of which it imports nothing.
package device
