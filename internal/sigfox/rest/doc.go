// Package rest is Sigfox's REST API v2 as far as it goes here: devices, device types, callbacks, messages and callbacks that
// were not delivered (Sigfox reference, section 12), below /v2/ and /api/v2/.
//
// It is a door. An API user is an access key of IAM: its id is the login and its secret the password of basic
// authentication, and the policies of its user decide, with the actions sigfox:NAME of the table of operations. A request
// of a web page, which has an Origin, is refused. It decodes, asks the backend and encodes; rules of the domain are the
// backend's.
//
// Absent members of a PUT stay, a null unsets; absent values are absent in answers. Times are milliseconds since 1970. A
// member or parameter that is not known is refused, because what is ignored would look as if it were done. Groups, contracts
// and tokens are one of each, always valid.
package rest
