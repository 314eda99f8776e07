// Package jetstream keeps sealed messages in an existing NATS cluster, for any
// number of keepers side by side. It is the only package that knows
// github.com/nats-io/nats.go. README.md says how to set the cluster up.
//
// An Engine is a store with the methods of store.Store. Sealed bytes are
// messages of the streams sealcam-bytes-N. Which of them count is said by a log,
// the stream sealcam-index: a line for each message that was kept, each deletion
// and each round of retention. The index, in memory, follows from the log alone,
// so every keeper has the same, whoever wrote the lines and in whatever order
// messages arrived: of two lines about one message, or one number, the first
// counts. Nothing is agreed between keepers, and none leads; the cluster puts
// lines in order, and that is all the order there is.
//
// A Source is what cameras publish by MQTT to the same cluster. What must not be
// lost passes the stream sealcam-intake, whose one consumer all keepers share, and
// is acknowledged there when a majority of the nodes has the bytes and the line.
//
// Nothing is lost by a keeper that ends at any moment: what it has not
// acknowledged is given to another, or comes again from its camera, which has no
// receipt. What it leaves are bytes that no line names: they cost room until
// retention or a deletion passes over them.
//
// What this package does not do: it opens no seal, decides nothing about
// households, and sends no receipts; package keeper does. It configures no node
// and no account. It retains nothing for MQTT: a roster for cameras that are away
// is to be published by MQTT.
package jetstream
