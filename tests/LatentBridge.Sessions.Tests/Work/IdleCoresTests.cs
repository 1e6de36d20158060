namespace LatentBridge.Sessions.Tests;

public class IdleCoresTests
{
    const long ThousandHours = 1000L * 3600 * 1000;

    [Fact]
    public void The_idle_and_waiting_columns_of_proc_stat_are_added() =>
        Assert.Equal(1_234_567 + 89, IdleCores.ParseIdle("cpu  100 2 300 1234567 89 0 7 0 0 0\ncpu0 1 1 1 1 1\n"u8));

    [Fact]
    public void Anything_else_is_not_measured()
    {
        Assert.Null(IdleCores.ParseIdle(""u8));
        Assert.Null(IdleCores.ParseIdle("cpu0 1 2 3 4 5\n"u8));
        Assert.Null(IdleCores.ParseIdle("cpu  1 2 3\n"u8));
        Assert.Null(IdleCores.ParseIdle("cpu  a b c d e\n"u8));
    }

    [Fact]
    public void Where_it_may_not_be_read_every_core_counts_as_idle()
    {
        using var idle = new IdleCores(new FakeClock(), Path.GetTempPath()); // a folder is refused as a file without permission is
        Assert.Equal(Math.Max(1, Environment.ProcessorCount / 2), idle.HalfOfIdle());
    }

    [Fact]
    public void Half_of_the_idle_cores_is_measured_anew_after_half_a_second()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the columns of /proc/stat");
        string stat = Path.GetTempFileName();
        try
        {
            var clock = new FakeClock();
            File.WriteAllText(stat, "cpu  0 0 0 1000 0\n");
            using var idle = new IdleCores(clock, stat, processors: 8);
            Assert.Equal(4, idle.HalfOfIdle());

            // A thousand hours in which no core was idle; against that, what this process itself used is nothing.
            clock.Advance(ThousandHours);
            Assert.Equal(1, idle.HalfOfIdle());

            // As long again with all cores idle; nothing is measured before half a second is over.
            File.WriteAllText(stat, $"cpu  0 0 0 {1000 + (8 * ThousandHours / 10)} 0\n");
            clock.Advance(499);
            Assert.Equal(1, idle.HalfOfIdle());
            clock.Advance(ThousandHours);
            Assert.Equal(4, idle.HalfOfIdle());
        }
        finally
        {
            File.Delete(stat);
        }
    }

    [Fact]
    public void Between_one_and_half_of_the_processors_are_given_without_allocating()
    {
        var clock = new FakeClock();
        using var idle = new IdleCores(clock);
        clock.Advance(600);
        idle.HalfOfIdle();
        clock.Advance(600);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int threads = idle.HalfOfIdle();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.InRange(threads, 1, Math.Max(1, Environment.ProcessorCount / 2));
    }
}
