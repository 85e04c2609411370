package journal

// Event types of the calls of the data plane (developer guide, "CloudWatch Logs: AWS IoT log entries"). The singular of
// ListRetained is AWS's.
const (
	GetRetained       = "GetRetainedMessage"
	ListRetained      = "ListRetainedMessage"
	GetConnection     = "GetConnection"
	DeleteConnection  = "DeleteConnection"
	ListSubscriptions = "ListSubscriptions"
	SendDirect        = "SendDirectMessage"
)
