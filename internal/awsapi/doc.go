// Package awsapi is what every HTTP door that looks like AWS shares: who calls (Caller, in the context of the request),
// whose signature a request carries (Guard), and how answers and errors are written (rest-json).
//
// A door authenticates and puts the Caller into the context; the handlers behind it (control plane, data plane, private
// API) authorise, by the Caller's policies. A request without a Caller is nobody's and is refused.
//
// Errors always have a status, a name in the header x-amzn-ErrorType, a request id and a JSON body; never a number as
// their code and never HTML, which SDKs cannot read (API reference, "rest-json errors").
package awsapi
