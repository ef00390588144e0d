// Package aws lists EC2 instances, and the services and tasks that ECS runs on
// Fargate, over many accounts and regions, with what AWS itself knows of them: the
// facets cloud, network and task.
//
// It only reads. The actions that it calls are those of the policy in docs/aws.md,
// and a test holds the two together. It knows nothing of what is inside a machine,
// of baselines, and of what becomes of a listing.
//
// # Calls
//
// Throttling is the normal state of a large account. So nothing is asked machine by
// machine: instances, volumes and security groups come in pages of 1,000 for a whole
// region, and the last two only where there are machines. What EC2 tells of one instance
// at a time only (its user data, its termination protection) is asked on request.
//
// # Errors
//
// A message of AWS may hold the session token (SignatureDoesNotMatch quotes the
// request), and one of a credential process its output. No such text is passed on:
// errors are made of the action, AWS's error code and words of this package.
package aws
