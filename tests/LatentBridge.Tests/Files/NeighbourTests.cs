using System.Text;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

/// <summary>What may stand beside a latent in a torch.save: read, passed over or left out, and never run.</summary>
public sealed class NeighbourTests
{
    const string Latents = "X\u0007\0\0\0latents";
    const string Other = "X\u0005\0\0\0other";

    [Theory]
    [InlineData("ctorch\nfloat16\n")]
    [InlineData("ctorch\ndevice\nX\u0003\0\0\0cpu\u0085R")]
    [InlineData("c_codecs\nencode\nX\u0001\0\0\0aX\u0006\0\0\0latin1\u0086R")]
    [InlineData("ccollections\nCounter\n}(X\u0001\0\0\0aK\u0002u\u0085R")]
    [InlineData("ccollections\ndefaultdict\nc__builtin__\nlist\n\u0085R")]
    [InlineData("c__builtin__\nset\n](K\u0001e\u0085R")]
    [InlineData("\u008f(K\u0001K\u0002\u0090")]
    [InlineData("(K\u0001K\u0002\u0091")]
    [InlineData("c__builtin__\ncomplex\nG\0\0\0\0\0\0\0\0G\0\0\0\0\0\0\0\0\u0086R")]
    [InlineData("c__builtin__\nslice\nNNN\u0087R")]
    [InlineData("F1.5\n")]
    [InlineData("I01\n")]
    [InlineData("Vtext\\u00e4\n")]
    [InlineData("S'text'\n")]
    public void Harmless_things_are_passed_over(string other)
    {
        using TensorFile file = Open($"{Other}{other}");
        Assert.Equal(["latents"], file.Tensors.Select(static tensor => tensor.Name));
        Assert.Empty(file.LeftOut);
    }

    [Theory]
    [InlineData("cos\nsystem\nX\u0004\0\0\0echo\u0085R", "os.system")]
    [InlineData("cmymodule\nConfig\n)\u0081}X\u0001\0\0\0aK\u0001sb", "mymodule.Config")]
    [InlineData("(imymodule\nOld\n", "mymodule.Old")]
    [InlineData("cmymodule\nList\n)R(K\u0001e", "mymodule.List")]
    [InlineData("cmymodule\nDict\n)R(K\u0001K\u0002u", "mymodule.Dict")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\ncmymodule\nStorage\n)RK\0K\u0001\u0085K\u0001\u0085\u0089Nt", "mymodule.Storage")]
    public void What_is_not_known_is_left_out_and_named(string other, string name)
    {
        if (other.EndsWith("Nt", StringComparison.Ordinal))
        {
            other = other.Replace("_v2\n", "_v2\n(", StringComparison.Ordinal) + "R";
        }

        using TensorFile file = Open($"{Other}{other}");
        Assert.Equal(["latents"], file.Tensors.Select(static tensor => tensor.Name));
        Assert.Contains($"\"other\" left out: it is made by {name}", Assert.Single(file.LeftOut), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("K\u0001", "1")]
    [InlineData("G\u0040\u008f\u0038\0\0\0\0\0", "999.0")]
    [InlineData("K\u0001K\u0002\u0086", "(1, 2)")]
    [InlineData("N", "None")]
    [InlineData("\u0088", "True")]
    public void Keys_that_are_no_text_are_named_as_python_writes_them(string key, string name)
    {
        string tensor = Tensor();
        using TensorFile file = Open($"{key}{tensor}");
        Assert.Equal(["latents", name], file.Tensors.Select(static tensor => tensor.Name));
    }

    [Fact]
    public void Keys_that_are_written_alike_stay_apart()
    {
        string tensor = Tensor();
        using TensorFile file = Open($"K\u0001{tensor}X\u0001\0\0\0{1}{tensor}");
        Assert.Equal(["latents", "1", "1#2"], file.Tensors.Select(static tensor => tensor.Name));
    }

    static TensorFile Open(string items)
    {
        byte[] pickle = Encoding.Latin1.GetBytes($"\u0080\u0002}}({Latents}{Tensor()}{items}u.");
        return TensorFile.Parse(TensorFileWriters.Torch(pickle, new byte[64]), "x");
    }

    /// <summary>The instructions that make a tensor [1, 4, 2, 2], without head and end.</summary>
    static string Tensor() => Encoding.Latin1.GetString(TensorFileWriters.TensorPickle(16, 0, [1, 4, 2, 2], [16, 4, 2, 1]))[2..^1];
}
