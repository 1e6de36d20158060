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
    public void Each_folders_decoders_are_there_when_it_was_searched()
    {
        List<string> known = Search();
        Assert.Equal(2, known.Count);
        Assert.Equal("mlp tiny", known[^1]);
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
        Search(() => nice.Add(Nice()));
        Assert.Equal([before, before], nice);

        // Field 19 of the line, counted behind the name in brackets, which is field 2.
        static int Nice() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[16], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The networks known at each change.</summary>
    List<string> Search(Action? changed = null)
    {
        var search = new WeightSearch(LatentDecoders.Weights([_users, _shipped]));
        List<string> known = [];
        IReadOnlyList<FoundWeights>? problems = null;
        using var done = new ManualResetEventSlim();
        search.Start(
            () =>
            {
                lock (known)
                {
                    changed?.Invoke();
                    known.Add(string.Join(' ', search.Catalogue(LatentFormats.Get("SD15")).Select(e => e.Description.Id).Where(id => id is "tiny" or "mlp").Order(StringComparer.Ordinal)));
                }
            },
            found =>
            {
                problems = found;
                done.Set();
            });
        Assert.True(done.Wait(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.Empty(problems!);
        return known;
    }
}
