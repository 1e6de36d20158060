using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning.Tests.Checks;

public sealed class CopyIndexTests
{
    readonly List<PictureSketch> _sketches = [];
    readonly CopyIndex _index;

    public CopyIndexTests() => _index = new(place => _sketches[(int)place]);

    [Fact]
    public void A_noisy_brighter_copy_is_found_among_thousands_and_a_new_picture_is_not()
    {
        const int Count = 3000;
        for (int i = 0; i < Count; i++)
        {
            PictureSketch sketch = Sketch(i);
            Assert.Null(_index.Find(sketch, false));
            Assert.Null(_index.Find(sketch, true));
            Add(sketch);
        }

        int found = Enumerable.Range(0, Count).Count(i => _index.Find(Sketch(i, noise: 3, brightness: 1.1f), false) == i);
        Assert.InRange(found, Count * 0.99, Count);
    }

    [Fact]
    public void A_mirrored_copy_is_found_as_such_only()
    {
        for (int i = 0; i < 200; i++)
        {
            Add(Sketch(i));
        }

        int mirrored = Enumerable.Range(0, 200).Count(i => _index.Find(Sketch(i, mirror: true), true) == i);
        Assert.InRange(mirrored, 198, 200);
        Assert.DoesNotContain(Enumerable.Range(0, 200), i => _index.Find(Sketch(i, mirror: true), false) is not null);
    }

    [Fact]
    public void A_sketch_is_written_and_read()
    {
        PictureSketch sketch = Sketch(1);
        PictureSketch read = PictureSketch.Parse(sketch.ToString())!;
        Assert.Equal(sketch.Hash, read.Hash);
        Assert.Equal(sketch.Cosines, read.Cosines);
        Assert.Null(PictureSketch.Parse("12"));
        Assert.Null(PictureSketch.Parse(new string('x', 128)));
    }

    [Fact]
    public void A_plain_picture_has_no_sketch() => Assert.Null(PictureSketch.Of([.. Enumerable.Repeat(77f, 1024)]));

    void Add(PictureSketch sketch)
    {
        _index.Add(sketch, _sketches.Count);
        _sketches.Add(sketch);
    }

    static PictureSketch Sketch(int seed, float noise = 0, float brightness = 1, bool mirror = false)
    {
        Random random = new(seed), other = new(seed + 1_000_000);
        float[] grid = [.. Enumerable.Repeat(120f, 1024)];
        for (int wave = 0; wave < 20; wave++)
        {
            (float u, float v, float p, float strength) = (random.NextSingle() - 0.5f, random.NextSingle() - 0.5f, 6 * random.NextSingle(), 20 * random.NextSingle());
            for (int i = 0; i < 1024; i++)
            {
                grid[i] += strength * MathF.Cos((u * (i % 32)) + (v * (i / 32)) + p);
            }
        }

        for (int i = 0; i < 1024; i++)
        {
            grid[i] = (brightness * grid[i]) + (noise * (other.NextSingle() - 0.5f));
        }

        if (mirror)
        {
            for (int y = 0; y < 32; y++)
            {
                grid.AsSpan(y * 32, 32).Reverse();
            }
        }

        return PictureSketch.Of(grid)!;
    }
}
