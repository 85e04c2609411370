// Package foreign has tests only: Eclipse's two Go clients, paho.mqtt.golang for MQTT 3.1.1 and paho.golang for MQTT 5, and
// AWS's SDK for Go v2, against a real `thingwire serve`. It imports nothing of the product.
package foreign
