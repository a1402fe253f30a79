package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testJobCompletes checks that a Job gets tokens in its init container and its container, and completes.
func testJobCompletes(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-job", home)
	template := newProbePod(c, home, "", "token").withIdentity(identity.Name)
	first := template.Spec.Containers[0]
	first.Name = "first"
	template.Spec.InitContainers = []corev1.Container{first}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "job"},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: template.template()},
	}
	c.create(t, job)
	eventually(t, 2*time.Minute, "the Job completes", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if job.Status.Succeeded != 1 {
			return fmt.Errorf("status = %+v", job.Status)
		}
		return nil
	})
	pod := c.podOf(t, home, "job")
	for _, container := range []string{"first", "probe"} {
		if token := c.logs(t, home, pod.Name, container); strings.Count(token, ".") != 2 {
			t.Errorf("container %s has no token: output %q", container, token)
		}
	}
}

// testEveryKindOfWorkload checks that pods of every kind of workload are injected.
func testEveryKindOfWorkload(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-workloads", home)
	template := func(kind string, restart corev1.RestartPolicy, arguments ...string) corev1.PodTemplateSpec {
		template := newProbePod(c, home, "", arguments...).withIdentity(identity.Name).template()
		template.Labels = map[string]string{"made-by": kind}
		template.Spec.RestartPolicy = restart
		return template
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: home, Name: name} }
	selector := func(kind string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"made-by": kind}}
	}
	c.create(t, &appsv1.Deployment{ObjectMeta: meta("deployment"), Spec: appsv1.DeploymentSpec{
		Selector: selector("deployment"), Template: template("deployment", corev1.RestartPolicyAlways, "wait")}})
	c.create(t, &appsv1.StatefulSet{ObjectMeta: meta("statefulset"), Spec: appsv1.StatefulSetSpec{
		Selector: selector("statefulset"), Template: template("statefulset", corev1.RestartPolicyAlways, "wait")}})
	c.create(t, &appsv1.DaemonSet{ObjectMeta: meta("daemonset"), Spec: appsv1.DaemonSetSpec{
		Selector: selector("daemonset"), Template: template("daemonset", corev1.RestartPolicyAlways, "wait")}})
	c.create(t, &batchv1.CronJob{ObjectMeta: meta("cronjob"), Spec: batchv1.CronJobSpec{
		Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			Template: template("cronjob", corev1.RestartPolicyNever, "wait")}}}})

	for _, kind := range []string{"deployment", "statefulset", "daemonset", "cronjob"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			pod := c.podOf(t, home, kind)
			c.waitReady(t, pod)
			c.granted(t, pod, "https://vault.azure.net")
		})
	}
}

// template returns the pod as a template, labelled with the name of the workload that will own it.
func (p probePod) template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: p.Annotations, Labels: map[string]string{"made-by": "job"}},
		Spec:       p.Spec,
	}
}

// podOf waits for a pod of a workload.
func (c *cluster) podOf(t *testing.T, home, kind string) *corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	eventually(t, 2*time.Minute, "there is a pod of the "+kind, func(ctx context.Context) error {
		err := c.List(ctx, &pods, client.InNamespace(home), client.MatchingLabels{"made-by": kind})
		if err == nil && len(pods.Items) == 0 {
			err = fmt.Errorf("no pod")
		}
		return err
	})
	return &pods.Items[0]
}
