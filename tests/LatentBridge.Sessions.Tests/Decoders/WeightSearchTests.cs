using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Weights;

namespace LatentBridge.Sessions.Tests;

public sealed class WeightSearchTests : IDisposable
{
    static readonly string Models = WeightLibrary.OwnFolder()!;

    readonly string _shipped = Directory.CreateTempSubdirectory("latentbridge-").FullName;
    readonly string _users = Directory.CreateTempSubdirectory("latentbridge-").FullName;

    public WeightSearchTests()
    {
        File.Copy(Path.Combine(Models, "tiny", "tiny-sd1.safetensors"), Path.Combine(_shipped, "tiny-sd1.safetensors"));
        File.Copy(Path.Combine(Models, "maps", "mlp-sd1.safetensors"), Path.Combine(_users, "mlp-sd1.safetensors"));
    }

    public void Dispose()
    {
        Directory.Delete(_shipped, recursive: true);
        Directory.Delete(_users, recursive: true);
    }

    [Fact]
    public void The_programs_own_weights_are_there_before_other_folders_were_searched()
    {
        Assert.Equal(["tiny", "mlp tiny"], Search(_shipped));
    }

    [Fact]
    public void Without_a_folder_of_its_own_all_come_at_once()
    {
        Assert.Equal(["mlp tiny"], Search(null));
        Assert.Equal(["mlp tiny"], Search("/nowhere"));
    }

    [Fact]
    public void The_search_is_not_starved_by_a_busy_sampler()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("Only Linux tells each thread's nice value.");
        }

        int before = Nice();
        List<int> nice = [];
        Search(_shipped, () => nice.Add(Nice()));
        Assert.Equal([before, before], nice);

        // Field 19 of the line, counted behind the name in brackets, which is field 2.
        static int Nice() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[16], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The networks known at each change.</summary>
    List<string> Search(string? shipped, Action? changed = null)
    {
        var search = new WeightSearch(LatentDecoders.Weights([_users, _shipped]), shipped);
        List<string> known = [];
        string? problem = "not done";
        using var done = new ManualResetEventSlim();
        search.Start(
            () =>
            {
                changed?.Invoke();
                known.Add(string.Join(' ', search.Catalogue(LatentFormats.Get("SD15")).Select(e => e.Description.Id).Where(id => id is "tiny" or "mlp").Order(StringComparer.Ordinal)));
            },
            found =>
            {
                problem = found;
                done.Set();
            });
        Assert.True(done.Wait(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.Null(problem);
        return known;
    }
}
