#!/bin/sh
# Starts the night's RayJob, or follows the one that goes on, and waits for its end. Ends with 3 if it has failed.
set -eu

name=ift-nightly
patch='{"metadata": {"name": "ift-nightly"}, "spec": {"entrypoint": "python -m jobs.nightly --config /etc/ift/nightly.toml"}}'

state() {
    kubectl get rayjob "$name" --output 'jsonpath={.status.jobDeploymentStatus}' "$@"
}

# Yesterday's has ended and makes room; one that goes on has lost the pod that waited for it.
case "$(state --ignore-not-found)" in
Complete | Failed) kubectl delete rayjob "$name" ;;
esac

if [ -z "$(kubectl get rayjob "$name" --ignore-not-found --output name)" ]; then
    kubectl patch --local --filename "$(dirname "$0")/rayjob.yaml" --type merge --patch "$patch" --output yaml |
        kubectl create --filename -
fi

while true; do
    now=$(state)
    case "$now" in
    Complete) exit 0 ;;
    Failed) exit 3 ;;
    esac
    sleep 30
done
