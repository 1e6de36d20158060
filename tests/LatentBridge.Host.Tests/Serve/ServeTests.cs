using System.Text.Json;
using LatentBridge.Ipc;
using LatentBridge.Testing;

namespace LatentBridge.Host.Tests.Serve;

/// <summary>The real child process over real shared memory.</summary>
public class ServeTests
{
    [Fact]
    public void A_run_of_steps_comes_back_as_pictures_and_shutdown_ends_with_zero()
    {
        using var host = new HostProcess();
        host.Notify("begin", "\"stream\":0,\"run\":1,\"format\":\"SDXL\"");
        for (int step = 0; step < 20; step++)
        {
            ImageSlotHeader picture = host.TakePicture(host.Submit(step % 4, step));
            Assert.Equal(step, picture.Step);
        }

        host.Send(Vectors.Message("shutdown", '>'));
        JsonElement answer = host.ReadUntil(m => m.TryGetProperty("id", out _));
        Assert.Equal(Vectors.Message("shutdown", '<'), answer.GetRawText());
        Assert.Equal(0, host.WaitForExit());
    }

    [Fact]
    public void A_bigger_mapping_on_the_same_descriptor_takes_bigger_latents()
    {
        using var host = new HostProcess(side: 16);
        host.TakePicture(host.Submit(0, 0));
        host.Grow(HeaderPage.Create(4, 16L * 96 * 96, 2, 4 << 20, Environment.ProcessId, 2));
        Assert.True(host.TakePicture(host.Submit(3, 1, side: 96)).Width >= 96);
    }

    [Fact]
    public void Closing_stdin_ends_the_host()
    {
        using var host = new HostProcess();
        host.Input.Close();
        Assert.Equal(0, host.WaitForExit());
    }

    [Fact]
    public void A_version_from_the_future_ends_with_three_and_an_argument_with_two()
    {
        using var host = new HostProcess(greet: false);
        host.Send(Vectors.Message("hello-refused", '>'));
        Assert.Equal(Vectors.Message("hello-refused", '<'), host.ReadLine());
        Assert.Equal(3, host.WaitForExit());
        Assert.Equal(2, ServeCommand.Run(["--verbose"]));
    }

    [Fact]
    public void Lines_too_long_and_not_json_are_answered_and_the_host_goes_on()
    {
        using var host = new HostProcess();
        host.Send(new string('x', (1 << 20) + 1));
        AssertError(-32700);
        host.Send(new string('x', 5 << 20));
        AssertError(-32700);
        host.Send("\0\u00ff{");
        AssertError(-32700);
        host.Send("""{"jsonrpc":"2.0","id":4,"method":"fly"}""");
        AssertError(-32601);
        host.TakePicture(host.Submit(0, 0));

        void AssertError(int code) => Assert.Equal(code, host.Read().GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public void A_shim_that_stops_reading_costs_no_memory_and_no_picture_afterwards()
    {
        using var host = new HostProcess(side: 8);
        host.TakePicture(host.Submit(0, 0));
        long before = ResidentBytes(host.Id);

        // Status answers that nobody reads fill the pipe; then the host stops reading, and this side's writes stop too.
        const int Requests = 60_000;
        var flood = new Thread(() =>
        {
            for (int i = 0; i < Requests; i++)
            {
                host.Send("""{"jsonrpc":"2.0","id":7,"method":"status"}""");
            }
        });
        flood.Start();
        Assert.False(flood.Join(TimeSpan.FromSeconds(2)), "the host took 60000 requests without its answers being read");
        Assert.InRange(ResidentBytes(host.Id) - before, long.MinValue, 32L << 20);

        for (int answers = 0; answers < Requests; answers++)
        {
            host.ReadUntil(m => m.TryGetProperty("id", out _));
        }

        flood.Join();
        host.TakePicture(host.Submit(0, 1));
    }

    [Fact]
    public void Twenty_thousand_frames_leave_memory_flat()
    {
        const int Frames = 20_000;
        const int WarmUp = 4_000;
        using var host = new HostProcess(side: 16, imageCapacity: 1 << 16);
        host.Notify("begin", "\"stream\":0,\"run\":1,\"format\":\"SDXL\",\"decoder\":\"latent2rgb\"");
        long before = 0;
        for (int frame = 0; frame < Frames; frame++)
        {
            host.TakePicture(host.Submit(frame % 4, frame));
            before = frame == WarmUp ? ResidentBytes(host.Id) : before;
        }

        long growth = ResidentBytes(host.Id) - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{before >> 10} KiB after {WarmUp} frames, {growth >> 10} KiB more after {Frames}");
        Assert.InRange(growth, long.MinValue, 8L << 20);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("forked")]
    [InlineData("child")]
    public void A_killed_shim_takes_its_host_along_however_it_is_held(string kind)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Forks and inherited descriptors are not Windows'.");
        string script = Path.Combine(AppContext.BaseDirectory, "Serve", "orphan.py");
        using var shim = new System.Diagnostics.Process
        {
            StartInfo = new("python3", [script, kind, .. HostProcess.Command, "serve"]) { RedirectStandardOutput = true },
        };
        try
        {
            Assert.True(shim.Start());
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("python3 is not there");
        }

        string[] files = Temporary();
        int[] ids = [.. shim.StandardOutput.ReadLine()!.Split(' ').Select(int.Parse)];
        Assert.True(IsAlive(ids[0]));
        long killed = System.Diagnostics.Stopwatch.GetTimestamp();
        shim.Kill();
        Assert.True(SpinWait.SpinUntil(() => !IsAlive(ids[0]), TimeSpan.FromSeconds(30)), "the host stays");
        TestContext.Current.TestOutputHelper?.WriteLine($"{kind}: gone after {System.Diagnostics.Stopwatch.GetElapsedTime(killed).TotalMilliseconds:0} ms");
        if (ids[1] != 0)
        {
            System.Diagnostics.Process.GetProcessById(ids[1]).Kill();
        }

        Assert.DoesNotContain(Temporary().Except(files), f => f.Contains("latentbridge", StringComparison.OrdinalIgnoreCase));
    }

    static string[] Temporary() => [.. Directory.EnumerateFiles("/dev/shm"), .. Directory.EnumerateFiles(Path.GetTempPath())];

    static bool IsAlive(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    static long ResidentBytes(int process)
    {
        using var running = System.Diagnostics.Process.GetProcessById(process);
        return running.WorkingSet64;
    }
}
