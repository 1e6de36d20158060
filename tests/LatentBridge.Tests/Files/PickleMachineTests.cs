using System.Text;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

/// <summary>Pickles that want more than to be data, and pickles that are wrong.</summary>
public sealed class PickleMachineTests
{
    [Theory]
    [InlineData("cos\nsystem\n(X\u0004\0\0\0echotR.", "\"os.system\" refused: weights are data")]
    [InlineData("cposix\nsystem\n.", "\"posix.system\" refused")]
    [InlineData("cbuiltins\neval\n(X\u0001\0\0\01tR.", "\"builtins.eval\" refused")]
    [InlineData("c__builtin__\nexec\n.", "\"__builtin__.exec\" refused")]
    [InlineData("X\u0002\0\0\0osX\u0006\0\0\0system\u0093.", "\"os.system\" refused")]
    [InlineData("ctorch.serialization\nload\n.", "\"torch.serialization.load\" refused")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n(ccollections\nOrderedDict\n)R(cos\nsystem\n)RtR.", "not callable")]
    [InlineData("ccollections\nOrderedDict\n(cos\nsystem\ntR.", "\"os.system\" refused")]
    [InlineData("(ios\nsystem\n.", "\"os.system\" refused")]
    [InlineData("(cos\no.", "is cut off")]
    [InlineData("cos\nsystem\n)\u0081.", "\"os.system\" refused")]
    [InlineData("\u0082\u0001.", "\"extension 1\" refused")]
    [InlineData("PX\n.", "storage that is not described")]
    [InlineData("\u00FF.", "instruction 0xFF")]
    public void Names_that_are_not_data_are_refused(string pickle, string message) => Refused(pickle, message);

    [Theory]
    [InlineData(".", "takes from an empty stack")]
    [InlineData("", "ends too early")]
    [InlineData("\u0080\u0009.", "protocol 9")]
    [InlineData("N0N00.", "takes from an empty stack")]
    [InlineData("N(0.", "takes from an empty stack")]
    [InlineData("t.", "no mark")]
    [InlineData("h\u0005.", "recalls memo 5")]
    [InlineData("NNR.", "not callable")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n(NtR.", "arguments that torch.save does not write")]
    [InlineData("NNa.", "appends to something")]
    [InlineData("}(Nu.", "sets items")]
    [InlineData("NQ.", "storage that is not described")]
    [InlineData("X\u00FF\u00FF\u00FF\u00FFabc.", "ends too early")]
    [InlineData("\u008D\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u007Fabc.", "ends too early")]
    [InlineData("\u008E\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FFabc.", "ends too early")]
    [InlineData("\u008B\u00FF\u00FF\u00FF\u007Fabc.", "integer of 2147483647 bytes")]
    [InlineData("I12x\n.", "\"12x\" where an integer is expected")]
    [InlineData("L999999999999999999999999999999999999999999999999999999999999999999999999999999999\n.", "a line of more than")]
    [InlineData("]q\0h\0a.", "nested too deep")]
    [InlineData("}q\0X\u0001\0\0\0ah\0s.", "nested too deep")]
    public void Wrong_pickles_are_refused(string pickle, string message) => Refused(pickle, message);

    [Fact]
    public void A_list_of_lists_that_would_unfold_without_end_is_refused()
    {
        // Each level holds the one below ten times: 10^12 values from 300 bytes.
        var pickle = new StringBuilder("]q\0");
        for (char level = '\u0001'; level < 13; level++)
        {
            pickle.Append("](").Append(string.Concat(Enumerable.Repeat($"h{(char)(level - 1)}", 10))).Append("eq").Append(level);
        }

        Refused(pickle.Append('.').ToString(), "nested too deep or too many");
    }

    [Fact]
    public void A_pickle_without_end_is_refused() =>
        Refused(string.Concat(Enumerable.Repeat("N0", 600_000)), "longer than 1000000 instructions");

    [Theory]
    [InlineData(6, 0, new long[] { 2, 3 }, new long[] { 3, 1 }, null)]
    [InlineData(6, 0, new long[] { 7 }, new long[] { 1 }, "needs 7 stored elements, found 6")]
    [InlineData(6, 1, new long[] { 6 }, new long[] { 1 }, "needs 6 stored elements, found 5")]
    [InlineData(6, 7, new long[] { 1 }, new long[] { 1 }, "begins at element 7 of a storage of 6")]
    [InlineData(6, -1, new long[] { 1 }, new long[] { 1 }, "begins at element -1")]
    [InlineData(6, 0, new long[] { 2 }, new long[] { -1 }, "-1 is negative")]
    [InlineData(6, 0, new long[] { 2 }, new long[] { 1, 1 }, "has 1 axes and 2 strides")]
    [InlineData(6, 0, new long[] { 2 }, new long[] { long.MaxValue }, "more elements than can be counted")]
    [InlineData(6, 0, new long[] { long.MaxValue, long.MaxValue }, new long[] { 0, 0 }, "more elements than can be counted")]
    [InlineData(6, 0, new long[] { 3 }, new long[] { long.MaxValue / 2 + 1 }, "more elements than can be counted")]
    [InlineData(7, 0, new long[] { 6 }, new long[] { 1 }, "should hold 7 elements of F32 but has 24 bytes")]
    [InlineData(-1, 0, new long[] { 6 }, new long[] { 1 }, "should hold -1 elements")]
    [InlineData(long.MaxValue, 0, new long[] { 6 }, new long[] { 1 }, "should hold 9223372036854775807 elements")]
    public void Views_outside_their_storage_are_refused(long storageLength, long offset, long[] size, long[] strides, string? message)
    {
        byte[] file = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(storageLength, offset, size, strides), new byte[24]);
        if (message is null)
        {
            using var right = TensorFile.Parse(file, "x");
            Assert.Equal(size, right.Tensors[0].Dimensions);
            return;
        }

        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file, "x"));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_view_that_repeats_one_element_without_end_opens_but_is_no_latent()
    {
        using var file = TensorFile.Parse(TensorFileWriters.Torch(TensorFileWriters.TensorPickle(6, 0, [1, 4, 1 << 25, 1 << 25], [0, 0, 0, 0]), new byte[24]), "x");
        var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(file, "x", new()));
        Assert.Contains("at most 1073741824 bytes", e.Message, StringComparison.Ordinal);
    }

    static void Refused(string pickle, string message)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(pickle);
        foreach (byte[] file in new[] { TensorFileWriters.Torch(bytes), [.. Legacy, .. bytes, .. NoStorages] })
        {
            var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file, "bad.pt"));
            Assert.StartsWith("bad.pt: ", e.Message, StringComparison.Ordinal);
            Assert.Contains(message, e.Message, StringComparison.Ordinal);
        }
    }

    static ReadOnlySpan<byte> NoStorages => [0x80, 2, (byte)']', (byte)'.'];

    // The magic number, protocol 1001 and an empty dictionary; the object comes next.
    static byte[] Legacy => [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, (byte)'.', 0x80, 2, (byte)'M', 0xE9, 3, (byte)'.', 0x80, 2, (byte)'}', (byte)'.'];
}
