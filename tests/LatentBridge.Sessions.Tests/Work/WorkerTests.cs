namespace LatentBridge.Sessions.Tests;

public class WorkerTests
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void The_most_urgent_duty_goes_first_and_the_end_comes_after_the_duty_in_work()
    {
        object gate = new();
        var done = new List<string>();
        bool isStopping = false;
        var urgent = new Duty("urgent", done) { Waiting = 1 };
        var later = new Duty("later", done) { Waiting = 2 };
        later.Doing = () =>
        {
            lock (gate)
            {
                // While a less urgent one is done an urgent one comes; the third ends it all.
                urgent.Waiting = later.Waiting == 1 ? 1 : 0;
                isStopping = later.Waiting == 0;
            }
        };
        var worker = new Worker(gate, () => isStopping, [urgent, later], _ => { }, () => done.Add("end"));
        worker.Start();
        Assert.True(worker.Join(Patience));
        Assert.Equal(["urgent", "later", "urgent", "later", "end"], done);
    }

    [Fact]
    public void A_worker_without_a_duty_wakes_when_its_lock_is_pulsed()
    {
        object gate = new();
        var done = new List<string>();
        bool isStopping = false;
        var duty = new Duty("duty", done) { Doing = () => isStopping = true };
        var worker = new Worker(gate, () => isStopping, [duty], _ => { }, () => { });
        worker.Start();
        lock (gate)
        {
            duty.Waiting = 1;
            Monitor.PulseAll(gate);
        }

        Assert.True(worker.Join(Patience));
        Assert.Equal(["duty"], done);
    }

    sealed class Duty(string name, List<string> done) : IDuty
    {
        public int Waiting { get; set; }

        public Action Doing { get; set; } = () => { };

        public bool TryTake() => Waiting > 0 && Waiting-- > 0;

        public void Do()
        {
            done.Add(name);
            Doing();
        }
    }
}
