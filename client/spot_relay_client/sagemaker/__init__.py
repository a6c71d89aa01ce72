"""SageMaker's training jobs, carried out as runs: for programs that know SageMaker and nothing of Spot Relay.

The modules, in the order in which to read them. All but the last three are pure, or call only what they are given.

- `policies`, `specs`: a CreateTrainingJob request becomes a spec.
- `answers`: a run becomes the answers that SageMaker would have given about one training job.
- `errors`: what the stack refuses becomes an error of SageMaker.
- `listing`, `log_streams`: runs among the other training jobs of an account; the logs of all attempts as one stream.
- `router`: which calls concern runs, and what they are answered.
- `hooks`: `install`, the router in front of the clients of a session of boto3.
- `signing`, `proxy`: the router as a server on loopback, for programs in any language.
"""
